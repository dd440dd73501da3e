#cpy      * ACCOUNTS, AS THE BANK WRITES THEM
       01  ACCOUNT-REC.
           05  REC-KIND           PIC X.
               88 IS-PERSON       VALUE 'P'.
           05  ACCT-NO            PIC 9(8).
           05  BALANCE            PIC S9(7)V99 COMP-3.
           05  LIMIT-AMT          PIC S9(5)V99.
           05  CNT                PIC S9(4) COMP.
           05  FILLER             PIC X(3).
           05  BODY.
               10  NAME           PIC X(10).
               10  CITY           PIC X(10).
           05  BODY-2 REDEFINES BODY.
               10  COMPANY        PIC X(15).
               10  TAX            PIC 9(5).
           05  LINE-COUNT         PIC 9(2).
           05  LINES-T OCCURS 0 TO 5 TIMES DEPENDING ON LINE-COUNT.
               10  CODE-X         PIC X(3).
               10  AMT            PIC S9(3) USAGE IS COMP-3.
