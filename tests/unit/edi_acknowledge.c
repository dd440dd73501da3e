/* Acknowledgements, worked out by hand from the tables of 997 and 999 (data elements 715 to 721), TA1 (I18) and CONTRL
 * (0083, 0085): a document in, the segments of its answer out. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/edi_hand.h"

static const struct edi_hand_file files[] = {
	{"words.yaml",
	 "dictionary: x12 005010\n"
	 "segments:\n"
	 "  BEG: {title: Beginning, elements: [353 M purpose, 324 M number, 373 O date, 337 O time, C040 O "
	 "reference]}\n"
	 "  REF: {title: Reference, elements: [128 M qualifier, 127 O 2 value, 352 O text], rules: [R0203, E0203]}\n"
	 "  N1: {title: Name, elements: [98 M entity, 93 O name, 66 O kind, 67 O code], rules: [P0304]}\n"
	 "  PO1: {title: Line, elements: [350 O line, 330 O quantity]}\n"
	 "  CTT: {title: Totals, elements: [354 M lines, 347 O hash]}\n"
	 "  CUR: {title: Currency, elements: [98 M entity]}\n"
	 "composites:\n"
	 "  C040: {title: Reference identifier, elements: [128 M qualifier, 127 M value]}\n"
	 "elements:\n"
	 "  '66': {title: Kind, type: ID, size: 1..2}\n"
	 "  '67': {title: Code, type: AN, size: 2..80}\n"
	 "  '93': {title: Name, type: AN, size: 1..60}\n"
	 "  '98': {title: Entity, type: ID, size: 2..3}\n"
	 "  '127': {title: Reference, type: AN, size: 2..5}\n"
	 "  '128': {title: Qualifier, type: ID, size: 2..3, codes: {CO: Order, IA: Internal}}\n"
	 "  '324': {title: Number, type: AN, size: 1..22}\n"
	 "  '330': {title: Quantity, type: R, size: 1..15}\n"
	 "  '337': {title: Time, type: TM, size: 4..8}\n"
	 "  '347': {title: Hash total, type: R, size: 1..10}\n"
	 "  '350': {title: Line, type: AN, size: 1..20}\n"
	 "  '352': {title: Text, type: AN, size: 1..80}\n"
	 "  '353': {title: Purpose, type: ID, size: 2..2}\n"
	 "  '354': {title: Lines, type: N0, size: 1..6}\n"
	 "  '373': {title: Date, type: DT, size: 8..8}\n"},
	{"order.yaml", "grammar: x12 005010 850\n"
		       "dictionary: words.yaml\n"
		       "structure:\n"
		       "  - BEG M 1\n"
		       "  - REF O 2\n"
		       "  - {loop: parties, use: O 2, structure: [N1 M 1]}\n"
		       "  - {loop: lines, use: M >1, structure: [PO1 M 1, REF O 1]}\n"
		       "  - CTT M 1\n"
		       "balance: [{count: {of: PO1, is: CTT01}}]\n"
		       "units: [BEG02, lines/PO101]\n"},
	{"guide.yaml", "grammar: x12 005010 850\n"
		       "extends: order.yaml\n"
		       "change:\n"
		       "  - {at: REF, use: never}\n"
		       "  - {at: parties, use: M}\n"
		       "  - {at: parties/N102, use: M}\n"
		       "  - {at: BEG03, use: never}\n"
		       "  - {at: BEG01, codes: ['00']}\n"},
	{"edifact.yaml", "dictionary: edifact D 96A\n"
			 "segments:\n"
			 "  BGM: {title: Beginning, elements: [1004 M number, 1225 C 2 function]}\n"
			 "  LIN: {title: Line, elements: [1082 C line, C212 C item]}\n"
			 "  UNS: {title: Section, elements: [0081 M section]}\n"
			 "composites:\n"
			 "  C212: {title: Item, elements: [7140 M number, 7143 C type]}\n"
			 "elements:\n"
			 "  '0081': {title: Section, type: a, size: 1..1}\n"
			 "  '1004': {title: Number, type: an, size: 2..10}\n"
			 "  '1082': {title: Line, type: n, size: 1..6}\n"
			 "  '1225': {title: Function, type: an, size: 1..3, codes: ['9', '1']}\n"
			 "  '7140': {title: Number, type: an, size: 1..5}\n"
			 "  '7143': {title: Type, type: an, size: 1..3}\n"},
	{"orders.yaml", "grammar: edifact D 96A ORDERS\n"
			"dictionary: edifact.yaml\n"
			"structure: [BGM M 1, {loop: lines, use: M 2, structure: [LIN M 1]}, UNS M 1]\n"},
};

/* ---- what is asked, and the segments of the answer from `from` up to `to` */
static void answers(const char *settings, const char *document, const char *from, const char *to, const char *wanted)
{
	struct buf answer;
	char *begin, *end;

	buf_init(&answer, 1 << 20);
	edi_hand_run(&edi_acknowledge_transformer, settings, span_of(document), &answer);
	buf_char(&answer, '\0');
	begin = answer.len > 1 ? strstr(answer.data, from) : NULL;
	end = begin ? strstr(begin, to) : NULL;
	if (end)
		*end = '\0';
	if (!*wanted ? answer.len > 1 : !end || strcmp(begin, wanted) != 0)
		fail_msg("%s\n%s\n wanted: %s\n    got: %s\n%s", settings, document, wanted,
			 begin ? begin : answer.data, edi_hand_told);
	buf_free(&answer);
}

#define ISA(ask)                                                                                                       \
	"ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*^*00501*000000001*" ask     \
	"*P*:~"
#define GS "GS*PO*ACME*HQ*20260101*1200*21*X*005010~"
#define ENDS "GE*1*21~IEA*1*000000001~"

static void transaction(const char *settings, const char *segments, const char *wanted)
{
	struct buf document;
	unsigned n = 2;

	for (const char *p = segments; *p; p++)
		n += *p == '~';
	buf_init(&document, 1 << 16);
	buf_printf(&document, ISA("0") GS "ST*850*0001~%sSE*%u*0001~" ENDS, segments, n);
	buf_char(&document, '\0');
	answers(settings, document.data, "AK2*", "SE*", wanted);
	buf_free(&document);
}

#define AS_997 "{format: x12, check: [structure, codes, balance], grammars: [order.yaml]}"
#define AS_999 "{format: x12, as: '999', check: [structure, codes, balance], grammars: [order.yaml]}"
#define GUIDE "{format: x12, as: '999', check: [structure, codes, balance], grammars: [guide.yaml]}"
#define GOOD "BEG*00*PO-1~PO1*1*5~CTT*1~"

static void a_good_transaction_is_accepted(void **state)
{
	transaction(AS_997, GOOD, "AK2*850*0001~AK5*A~AK9*A*1*1*1~");
	transaction(AS_999, GOOD, "AK2*850*0001~IK5*A~AK9*A*1*1*1~");
}

#define R997 "AK5*R*5~AK9*R*1*1*0~"

static void segments_have_the_codes_of_ak304(void **state)
{
	transaction(AS_997, "BEG*00*PO-1~ZZ9*1~PO1*1~CTT*1~", "AK2*850*0001~AK3*ZZ9*3**1~" R997);
	transaction(AS_997, "BEG*00*PO-1~PO1*1~", "AK2*850*0001~AK3*CTT*4**3~" R997);
	transaction(AS_997, "BEG*00*PO-1~CTT*0~", "AK2*850*0001~AK3*PO1*3*PO1*3~" R997);
	transaction(AS_997, "BEG*00*PO-1~N1*BY~N1*ST~N1*SE~PO1*1~CTT*1~", "AK2*850*0001~AK3*N1*5*N1*4~" R997);
	transaction(AS_997, "BEG*00*PO-1~BEG*00*PO-1~PO1*1~CTT*1~", "AK2*850*0001~AK3*BEG*3**5~" R997);
	transaction(AS_997, "BEG*00*PO-1~CUR*BY~PO1*1~CTT*1~", "AK2*850*0001~AK3*CUR*3**6~" R997);
	transaction(AS_997, "BEG*00*PO-1~PO1*1~N1*BY~CTT*1~", "AK2*850*0001~AK3*N1*4*PO1*7~" R997);
}

static void elements_have_the_codes_of_ak403(void **state)
{
	transaction(AS_997, "BEG*00~PO1*1~CTT*1~", "AK2*850*0001~AK3*BEG*2**8~AK4*2*324*1~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*CO~PO1*1~CTT*1~", "AK2*850*0001~AK3*REF*3**8~AK4*2*127*2~" R997);
	transaction(AS_997, "BEG*00*PO-1~PO1*1*5*EA~CTT*1~", "AK2*850*0001~AK3*PO1*3*PO1*8~AK4*3**3*EA~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*CO*X~PO1*1~CTT*1~", "AK2*850*0001~AK3*REF*3**8~AK4*2*127*4*X~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*CO*123456~PO1*1~CTT*1~",
		    "AK2*850*0001~AK3*REF*3**8~AK4*2*127*5*123456~" R997);
	transaction(AS_997, "BEG*00*PO-1~PO1*1*many~CTT*1~", "AK2*850*0001~AK3*PO1*3*PO1*8~AK4*2*330*6*many~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*ZZ*AB~PO1*1~CTT*1~", "AK2*850*0001~AK3*REF*3**8~AK4*1*128*7*ZZ~" R997);
	transaction(AS_997, "BEG*00*PO-1*20260230~PO1*1~CTT*1~",
		    "AK2*850*0001~AK3*BEG*2**8~AK4*3*373*8*20260230~" R997);
	transaction(AS_997, "BEG*00*PO-1**2560~PO1*1~CTT*1~", "AK2*850*0001~AK3*BEG*2**8~AK4*4*337*9*2560~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*CO*AB*text~PO1*1~CTT*1~", "AK2*850*0001~AK3*REF*3**8~AK4*3*352*10~" R997);
	transaction(AS_997, "BEG*00*PO-1~REF*CO*AB^CD^EF~PO1*1~CTT*1~",
		    "AK2*850*0001~AK3*REF*3**8~AK4*2::3*127*12*EF~" R997);
	/* a component: its place within the element */
	transaction(AS_997, "BEG*00*PO-1***CO:X~PO1*1~CTT*1~", "AK2*850*0001~AK3*BEG*2**8~AK4*5:2*127*4*X~" R997);
	/* what a copy would break the answer with is left out */
	transaction(AS_997, "BEG*00*PO-1~PO1*1~CTT*2~", "AK2*850*0001~AK3*CTT*4**8~AK4*1*354*7*2~" R997);
}

static void an_implementation_guide_has_codes_of_its_own_in_999(void **state)
{
	transaction(GUIDE, "BEG*00*PO-1~REF*CO*AB~N1*BY*Shop~PO1*1~CTT*1~",
		    "AK2*850*0001~IK3*REF*3**I4~CTX*BEG02:PO-1~IK5*R*I5~AK9*R*1*1*0~");
	transaction(GUIDE, "BEG*00*PO-1~PO1*1~CTT*1~",
		    "AK2*850*0001~IK3*N1*3*N1*I7~CTX*BEG02:PO-1~IK5*R*I5~AK9*R*1*1*0~");
	transaction(GUIDE, "BEG*00*PO-1*20260101~N1*BY*Shop~PO1*1~CTT*1~",
		    "AK2*850*0001~IK3*BEG*2**8~CTX*BEG02:PO-1~IK4*3*373*I10*20260101~IK5*R*I5~AK9*R*1*1*0~");
	transaction(GUIDE, "BEG*01*PO-1~N1*BY*Shop~PO1*1~CTT*1~",
		    "AK2*850*0001~IK3*BEG*2**8~CTX*BEG02:PO-1~IK4*1*353*I6*01~IK5*R*I5~AK9*R*1*1*0~");
}

static void a_999_tells_what_an_error_is_about(void **state)
{
	transaction(AS_999, "BEG*00*PO-1~N1*BY**92~PO1*1~CTT*1~",
		    "AK2*850*0001~IK3*N1*3*N1*8~CTX*BEG02:PO-1~IK4*4*67*2~CTX*SITUATIONAL TRIGGER*N1*3*N1*3*66~"
		    "IK5*R*5~AK9*R*1*1*0~");
	/* the line, not the order; a line without a number is the order's */
	transaction(AS_999, "BEG*00*PO-1~PO1*1~PO1*7*x~PO1**y~CTT*3~",
		    "AK2*850*0001~IK3*PO1*4*PO1*8~CTX*PO101:7~IK4*2*330*6*x~IK3*PO1*5*PO1*8~CTX*BEG02:PO-1~"
		    "IK4*2*330*6*y~IK5*R*5~AK9*R*1*1*0~");
	/* an error behind the lines is none of the last one */
	transaction(AS_999, "BEG*00*PO-1~PO1*1~CTT*x~",
		    "AK2*850*0001~IK3*CTT*4**8~CTX*BEG02:PO-1~IK4*1*354*6*x~IK5*R*5~AK9*R*1*1*0~");
	/* a name that would break the answer is left out */
	transaction(AS_999, "BEG*00*P\xc3\xbc~PO1*1~CTT*x~",
		    "AK2*850*0001~IK3*CTT*4**8~IK4*1*354*6*x~IK5*R*5~AK9*R*1*1*0~");
}

static void transactions_and_groups_have_the_codes_of_ak502_and_ak905(void **state)
{
	static const struct {
		const char *document, *wanted;
	} cases[] = {
		{ISA("0") "GS*PO*ACME*HQ*20260101*1200*21*X*009999~ST*850*0001~BEG*00*1~SE*3*0001~" ENDS,
		 "AK1*PO*21*009999~AK2*850*0001~AK5*R*1~AK9*R*1*1*0~"},
		{ISA("0") GS "ST*850*0001~BEG*00*1~PO1*1~CTT*1~" ENDS,
		 "AK1*PO*21*005010~AK2*850*0001~AK5*R*2~AK9*R*1*1*0~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0002~" ENDS,
		 "AK1*PO*21*005010~AK2*850*0001~AK5*R*3~AK9*R*1*1*0~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*6*0001~" ENDS,
		 "AK1*PO*21*005010~AK2*850*0001~AK5*R*4~AK9*R*1*1*0~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~ST*850*0002~" GOOD "SE*9*0002~GE*2*21~IEA*1*000000001~",
		 "AK1*PO*21*005010~AK2*850*0001~AK5*A~AK2*850*0002~AK5*R*4~AK9*P*2*2*1~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~GE*1*22~IEA*1*000000001~",
		 "AK1*PO*21*005010~AK9*R*1*1*0*4~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~GE*3*21~IEA*1*000000001~",
		 "AK1*PO*21*005010~AK9*R*3*1*0*5~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~IEA*1*000000001~", "AK1*PO*21*005010~AK9*R*1*1*0*3~"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		answers(AS_997, cases[i].document, "AK1*", "SE*", cases[i].wanted);
	answers("{format: x12}", ISA("0") GS "ST*85*0001~BEG*1~SE*3*0001~" ENDS, "AK2*", "SE*",
		"AK2*85*0001~AK5*R*6~AK9*R*1*1*0~");
	answers("{format: x12}", ISA("0") GS "ST*850*0123456789~BEG*1~SE*3*0123456789~" ENDS, "AK5*", "SE*",
		"AK5*R*7~AK9*R*1*1*0~");
	answers("{format: x12, check: [structure, codes, balance], accept: [codes], grammars: [order.yaml]}",
		ISA("0") GS "ST*850*0001~BEG*00*PO-1~REF*ZZ*AB~PO1*1~CTT*1~SE*6*0001~" ENDS, "AK5*", "SE*",
		"AK5*E*5~AK9*E*1*1*1~");
}

static void interchanges_have_the_notes_of_ta105(void **state)
{
	static const struct {
		const char *document, *wanted;
	} cases[] = {
		{ISA("1") GS "ST*850*0001~" GOOD "SE*5*0001~" ENDS, "TA1*000000001*260101*1200*A*000~"},
		{ISA("1") "IEA*0*000000001~", "TA1*000000001*260101*1200*A*000~"},
		{ISA("0") "IEA*0*000000001~", ""},
		{ISA("1") "TA1*000000009*260101*1200*A*000~IEA*0*000000001~", ""},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~GE*1*21~IEA*1*000000002~",
		 "TA1*000000001*260101*1200*R*001~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~GE*1*21~IEA*7*000000001~",
		 "TA1*000000001*260101*1200*R*021~"},
		{ISA("0") "ST*850*0001~" GOOD "SE*5*0001~IEA*0*000000001~", "TA1*000000001*260101*1200*R*022~"},
		{ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~GE*1*21~", "TA1*000000001*260101*1200*R*023~"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		answers("{format: x12}", cases[i].document, "TA1*", *cases[i].wanted && i == 0 ? "GS*" : "IEA*",
			cases[i].wanted);
	answers("{format: x12, as: ta1}", ISA("0") GS "ST*850*0001~" GOOD "SE*5*0001~" ENDS, "TA1*", "IEA*",
		"TA1*000000001*260101*1200*A*000~");
}

#define UNB "UNB+UNOC:3+ACME:14+HQ:14+260101:1200+REF1'"
#define UNH "UNH+1+ORDERS:D:96A:UN'"
#define PACKAGES "UNB+UNOC:4+ACME:14+HQ:14+20260101:1200+REF1'UNO+P1+AAA:Doc1+13:text/plain+3'a'b"
#define UCI "UCI+REF1+ACME:14+HQ:14+"
#define UCM "UCM+1+ORDERS:D:96A:UN+4"

static void contrl_has_the_codes_of_0085(void **state)
{
	static const struct {
		const char *document, *wanted;
	} cases[] = {
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'"},
		{UNB "UNZ+0+REF1'", UCI "7'"},
		{UNB "UNH+1+CONTRL:2:2:UN'UCI+1+HQ:14+ACME:14+7'UNT+3+1'UNZ+1+REF1'", ""},
		/* the interchange */
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+5+1'UNZ+2+REF1'", UCI "4+29+UNZ+2'"},
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF2'", UCI "4+28+UNZ+3'"},
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+5+1'", UCI "4+13+UNZ'"},
		/* a message */
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+6+1'UNZ+1+REF1'", UCI "7'" UCM "+29+UNT+2'"},
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNT+5+2'UNZ+1+REF1'", UCI "7'" UCM "+28+UNT+3'"},
		{UNB UNH "BGM+PO-1+9'LIN+1'UNS+S'UNZ+1+REF1'", UCI "7'" UCM "+13+UNT'"},
		{UNB "UNH+1+ORDERS:D:97A:UN'BGM+PO-1'UNT+3+1'UNZ+1+REF1'", UCI "7'UCM+1+ORDERS:D:97A:UN+4+14+UNH+3'"},
		/* segments: a missing one is told by the one in front of it */
		{UNB UNH "BGM+PO-1+9'LIN+1'UNT+4+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3+13'"},
		{UNB UNH "BGM+PO-1+9'LIN+1'LIN+2'LIN+3'UNS+S'UNT+7+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+5+36'"},
		{UNB UNH "BGM+PO-1+9'BGM+PO-1+9'LIN+1'UNS+S'UNT+6+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3+35'"},
		{UNB UNH "BGM+PO-1+9'XXX+1'LIN+1'UNS+S'UNT+6+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3+15'"},
		/* elements: counted with the tag as 1 */
		{UNB UNH "BGM++9'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+2'UCD+13+2'"},
		{UNB UNH "BGM+P+9'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+2'UCD+40+2'"},
		{UNB UNH "BGM+PO-12345678+9'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+2'UCD+39+2'"},
		{UNB UNH "BGM+PO-1+7'LIN+1'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+2'UCD+12+3'"},
		{UNB UNH "BGM+PO-1+9'LIN+x'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3'UCD+37+2'"},
		{UNB UNH "BGM+PO-1+9'LIN+1+abcdef:EN'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3'UCD+39+3:1'"},
		{UNB UNH "BGM+PO-1+9'LIN+1+:EN'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3'UCD+13+3:1'"},
		{UNB UNH "BGM+PO-1+9'LIN+1++x'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3'UCD+16+4'"},
		{UNB UNH "BGM+PO-1+9'LIN+1+a:b:c'UNS+S'UNT+5+1'UNZ+1+REF1'", UCI "7'" UCM "'UCS+3'UCD+16+3:3'"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *wanted = mem_strdup(cases[i].wanted);

		if (*wanted) /* the last terminator begins what the answer is cut at */
			wanted[strlen(wanted) - 1] = '\0';
		answers("{format: edifact, check: [structure, codes, balance], grammars: [orders.yaml]}",
			cases[i].document, "UCI+", "'UNT+", wanted);
		free(wanted);
	}
	/* packages, which are of syntax version 4 */
	answers("{format: edifact}", PACKAGES "UNP+3+P1'UNZ+1+REF1'", "UCI+", "'UNT+", UCI "7");
	answers("{format: edifact}", PACKAGES "UNP+4+P1'UNZ+1+REF1'", "UCI+", "'UNT+",
		UCI "7'UCM+++4+29+UNP+2+P1+AAA:Doc1");
	answers("{format: edifact}", PACKAGES "UNP+3+P2'UNZ+1+REF1'", "UCI+", "'UNT+",
		UCI "7'UCM+++4+28+UNP+3+P1+AAA:Doc1");
	answers("{format: edifact}", PACKAGES "xUNP+3+P1'UNZ+1+REF1'", "UCI+", "'UNT+",
		UCI "7'UCM+++4+13+UNP++P1+AAA:Doc1");
	answers("{format: edifact}", PACKAGES "UNP+3+P1'UNZ+2+REF1'", "UCI+", "'UNT+", UCI "4+29+UNZ+2");
	answers("{format: edifact}", PACKAGES "UNX'UNZ+1+REF1'", "UCI+", "'UNT+", UCI "4+13+UNZ");
	answers("{format: edifact, receipt: true}", UNB UNH "BGM+1'UNT+9+1'UNZ+1+REF1'", "UCI+", "'UNT+", UCI "8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_transaction_is_accepted),
		cmocka_unit_test(segments_have_the_codes_of_ak304),
		cmocka_unit_test(elements_have_the_codes_of_ak403),
		cmocka_unit_test(an_implementation_guide_has_codes_of_its_own_in_999),
		cmocka_unit_test(a_999_tells_what_an_error_is_about),
		cmocka_unit_test(transactions_and_groups_have_the_codes_of_ak502_and_ak905),
		cmocka_unit_test(interchanges_have_the_notes_of_ta105),
		cmocka_unit_test(contrl_has_the_codes_of_0085),
	};

	edi_hand_files(files, sizeof files / sizeof *files);
	return cmocka_run_group_tests(tests, NULL, edi_hand_end);
}
