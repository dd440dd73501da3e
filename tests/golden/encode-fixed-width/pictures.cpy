       01  R.
           05  A  PIC S9(4) USAGE IS COMP-3, .
           05  B  PIC S9(4) USAGE COMP.
           05  C  PIC S9(4), COMP-5.
           66  D  RENAMES A THRU B.
           78  E  VALUE 5.
