/* An SFTP server that lies as it is told: sftp_liar.c answers, sftp_liar_wire.c has the bytes, and
 * sftp_liar_script.c says when it lies. */
#ifndef FERRULE_TESTS_LAB_SFTP_LIAR_H
#define FERRULE_TESTS_LAB_SFTP_LIAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line of DIR/script: `ON[:END] NTH TIMES WHAT [ARGUMENT]`. ON is a request; END how a path of it must end; NTH its
 * passing in this connection, 0 each; TIMES how often in all connections, 0 always. */
struct lie {
	char on[40], end[120], what[24], argument[300];
	unsigned line, nth, times, seen;
};

void script_read(const char *dir);
/* The lie for this request, or NULL; what strikes is a line in DIR/fired. */
const struct lie *script_find(const char *on, const char *path);
/* Its number without waiting for a request: `bytes-in` and `bytes-out`. -1: none. */
long script_limit(const char *on);
bool script_says(const char *on); /* a word alone, such as `no-fsync` */
void script_note(const char *file, const char *text);
/* `watch NAME SIZE`: a line in DIR/half whenever that file is there with another size. */
void script_watch(void);

#define PACKET (512u * 1024)

/* The request in hand behind its type, and the answer. */
extern unsigned char in[PACKET], out[2 * PACKET];
extern size_t in_len, in_at, out_len;
extern long bytes_left_in, bytes_left_out; /* before the connection ends; -1: it does not */

bool get_bytes(void *into, size_t len);
void send_bytes(const unsigned char *from, size_t len);
uint32_t take_u32(void);
uint64_t take_u64(void);
const unsigned char *take_bytes(size_t *len);
char *take_path(void); /* until the next but one */
void put_u32(uint32_t value);
void put_u64(uint64_t value);
void put_bytes(const void *bytes, size_t len);
void put_text(const char *text);

#endif
