/* What this machine is called among several of one site. */
#ifndef FERRULE_SERVICES_MACHINE_H
#define FERRULE_SERVICES_MACHINE_H

#define MACHINE_NAME 65

/* FERRULE_MACHINE, else the host's name; printable, without blanks. */
void machine_name(char out[MACHINE_NAME]);

#endif
