/* The mail sink: one message becomes one mail, handed to an SMTP server (RFC 5321). What is pure of it is here, so that
 * it is tested without a network: addresses, the mail's text (RFC 5322, MIME), and what a reply means. Nothing here
 * knows libcurl; nothing but mail_content_read blocks, and that on local disk only. */
#ifndef FERRULE_BROKER_ADAPTERS_MAIL_H
#define FERRULE_BROKER_ADAPTERS_MAIL_H

#include "base/adapter.h"

#define MAIL_RECIPIENTS_MAX 50u
#define MAIL_ADDRESSES_MAX 4000u /* bytes of all recipients together */
#define MAIL_SUBJECT_MAX 500u
#define MAIL_TEXT_MAX 8000u /* travels in the envelope; what is longer is cut, with a mark */
#define MAIL_CUT "\n\n[cut: the text is longer than a mail's may be]\n"
#define MAIL_RENDER_MAX (1u << 20)
#define MAIL_NAME_MAX 200u  /* of an attachment */

enum mail_tls { MAIL_STARTTLS, MAIL_IMPLICIT, MAIL_NONE };

struct mail_settings {
	struct template *to, *subject, *text, *attachment;
	const char *from, *reply_to, *system, *host, *helo, *user, *password, *ca;
	int64_t port; /* 0: the usual one of `tls` */
	int tls;      /* enum mail_tls */
	int64_t timeout_ms, connect_ms, parallel;
	uint64_t max;
};

extern const struct option mail_options[];
extern const struct sink_ops mail_sink_ops;

/* ---- addresses and settings */
/* The address alone of "Name <user@host>" or "user@host": ASCII, no white space, quotes, commas or angle brackets.
 * -1: it is none. */
int mail_address_parse(struct span text, struct span *address);
/* Each address of a list with commas in turn. -1, REJECT `mail.address`: one of them is none, there are none, or more
 * than MAIL_RECIPIENTS_MAX. */
int mail_address_each(struct span list, void (*each)(void *arg, struct span address), void *arg, struct error *);
/* sink_ops.address: sets to, subject, text and attachment. REJECT `mail.address`, `mail.header`. */
int mail_address(const struct endpoint *, const struct expression_input *, struct message *, struct error *);
/* sink_ops.check: FATAL `mail.settings`. */
int mail_check(const struct endpoint *, struct error *);

/* ---- the mail */
struct mail_content {
	struct buf head, tail; /* around the encoded body */
	struct reader *body;   /* NULL: `head` has all of it */
	uint64_t body_size, size, at;
	bool failed; /* the body could not be read */
};
/* Everything above the body of a mail, in order, but for Date. The same attempt gives the same Message-ID, whoever
 * sends it and however often. REJECT `mail.header`. */
int mail_headers(const struct attempt *, void (*each)(void *arg, struct span name, struct span value), void *arg,
		 struct error *);
/* REJECT `mail.header`, `mail.size`. To be freed also after a failure. */
int mail_content_open(struct mail_content *, const struct attempt *, int64_t now_ms, struct error *);
void mail_content_free(struct mail_content *);
size_t mail_content_read(struct mail_content *, char *into, size_t len); /* 0: the end, or `failed` */

/* ---- answers */
enum mail_stage { MAIL_OPENING, MAIL_SENDER, MAIL_RECIPIENT, MAIL_DATA };

struct mail_answer {
	enum mail_stage stage;  /* the last command that went out */
	bool sent;              /* the last byte of the mail was handed over: the server may have it */
	unsigned reply;         /* the last reply to it; 0: none came */
	const char *code, *why; /* without a reply: "mail.connect", and for people */
	struct span text;       /* of the reply */
	struct span recipient;  /* the last that was named */
};
/* Class NONE: the server has taken it. docs/adapters-mail.md has the table. */
void mail_judge(const struct mail_answer *, struct error *);
void mail_receipt(const struct attempt *, const struct mail_answer *, struct buf *); /* JSON */
int mail_preview(const struct attempt *, void (*each)(void *arg, struct span name, struct span value), void *arg,
		 struct error *);
int mail_judge_test(const struct attempt *, const struct sink_answer *, struct error *verdict, struct error *);
enum resolved mail_presume(const struct attempt *);
int mail_resolve(void *sink, struct attempt *, enum resolved *, struct error *);
unsigned mail_parallel(const struct endpoint *);

#endif
