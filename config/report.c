/* Findings as people and programs read them. See site.h. */
#include "config.h"
#include "config/site.h"

void report_text(const struct findings *findings, const char *prefix, struct buf *out)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		buf_printf(out, "%s%s", prefix, f->place.file ? f->place.file : "site.yaml");
		if (f->place.line > 0)
			buf_printf(out, ":%d", f->place.line);
		if (f->place.line > 0 && f->place.column > 0)
			buf_printf(out, ":%d", f->place.column);
		buf_printf(out, ": %s: %s", severity_name(f->severity), f->text);
		buf_printf(out, f->scope ? " (%s)\n" : "\n", f->scope);
	}
}

json_t *report_json_new(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s*}", "file",
						      f->place.file ? f->place.file : "site.yaml", "line",
						      f->place.line, "column", f->place.column, "severity",
						      severity_name(f->severity), "code", f->code, "message", f->text,
						      "scope", f->scope));
	}
	return list;
}
