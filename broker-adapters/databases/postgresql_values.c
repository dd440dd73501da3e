/* Values on their way to PostgreSQL and back. See postgresql.h. */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "broker-adapters/databases/postgresql.h"

#define COLUMNS_MAX 64

struct parameters {
	const char *values[POSTGRESQL_PARAMETERS_MAX];
	int lengths[POSTGRESQL_PARAMETERS_MAX], formats[POSTGRESQL_PARAMETERS_MAX];
	char numbers[POSTGRESQL_PARAMETERS_MAX][24];
	struct buf *clean[POSTGRESQL_PARAMETERS_MAX]; /* texts that were not UTF-8 */
};

/* PostgreSQL refuses text with a zero byte or broken UTF-8; partners send both. What cannot be text is shown as U+FFFD,
 * in what is stored and in what is looked for alike. */
static void bind_text(struct parameters *p, size_t i, struct span text)
{
	if (!utf8_is_clean(text)) {
		p->clean[i] = mem_alloc(sizeof(struct buf));
		buf_init(p->clean[i], SIZE_MAX / 2);
		utf8_clean(p->clean[i], text);
		text = buf_view(p->clean[i]);
	}
	p->values[i] = text.len ? text.data : "";
	p->lengths[i] = (int)text.len;
	p->formats[i] = 1;
}

static void bind(struct parameters *p, const struct value *values, size_t n)
{
	assert(n <= POSTGRESQL_PARAMETERS_MAX);
	for (size_t i = 0; i < n; i++) {
		switch (values[i].type) {
		case VALUE_NULL:
			break;
		case VALUE_INT: /* as text: the server decides which integer it is */
			snprintf(p->numbers[i], sizeof p->numbers[i], "%lld", (long long)values[i].number);
			p->values[i] = p->numbers[i];
			break;
		case VALUE_TEXT:
			bind_text(p, i, values[i].bytes);
			break;
		case VALUE_BLOB:
			p->values[i] = values[i].bytes.len ? values[i].bytes.data : "";
			p->lengths[i] = (int)values[i].bytes.len;
			p->formats[i] = 1;
			break;
		}
	}
}

static void unbind(struct parameters *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->clean[i]) {
			buf_free(p->clean[i]);
			free(p->clean[i]);
		}
}

static int64_t big_endian(const char *bytes, int len)
{
	int64_t n = bytes[0] < 0 ? -1 : 0;

	for (int i = 0; i < len; i++)
		n = (int64_t)((uint64_t)n << 8 | (unsigned char)bytes[i]);
	return n;
}

enum { TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23 };

static void column_read(const PGresult *result, int row, int column, struct value *value)
{
	const char *bytes = PQgetvalue(result, row, column);
	int len = PQgetlength(result, row, column);

	if (PQgetisnull(result, row, column)) {
		*value = VALUE_OF_NULL;
		return;
	}
	switch (PQftype(result, column)) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
		*value = VALUE_OF_INT(big_endian(bytes, len));
		break;
	case TYPE_BYTEA:
		*value = VALUE_OF_BLOB(span_make(bytes, (size_t)len));
		break;
	default:
		*value = VALUE_OF_TEXT(span_make(bytes, (size_t)len));
	}
}

void postgresql_rows(const PGresult *result, db_row_fn *each, void *arg)
{
	struct value row[COLUMNS_MAX];
	int columns = PQnfields(result);

	assert(columns <= COLUMNS_MAX);
	for (int r = 0; each && r < PQntuples(result); r++) {
		for (int c = 0; c < columns; c++)
			column_read(result, r, c, &row[c]);
		if (each(arg, row, (size_t)columns))
			return;
	}
}

int postgresql_send(struct postgresql *db, const char *name, const struct value *values, size_t n, struct error *error)
{
	struct parameters p = {0};
	int sent;

	bind(&p, values, n);
	sent = PQsendQueryPrepared(db->conn, name, (int)n, p.values, p.lengths, p.formats, 1);
	unbind(&p, n);
	if (sent && db->in_transaction)
		sent = PQpipelineSync(db->conn);
	return sent ? 0 : postgresql_gone(db, "the connection is lost", error);
}
