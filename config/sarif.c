/* Findings as SARIF 2.1.0 (OASIS), which code review tools and CI services read. See site.h.
 *
 * Places are relative to the site (uriBaseId SITE), columns count characters. A rule stands for each code. What holds
 * in one environment only says so in the result's properties. */
#include "config.h"
#include "config/site.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static json_t *rules_new(void)
{
	json_t *rules = json_array();

	for (const struct finding_code *c = finding_codes; c->code; c++)
		json_array_append_new(rules,
				      json_pack("{s:s, s:{s:s}, s:{s:s}}", "id", c->code, "shortDescription", "text",
						c->help, "defaultConfiguration", "level", severity_name(c->severity)));
	return rules;
}

static int rule_index(const char *code)
{
	for (int i = 0; finding_codes[i].code; i++) {
		if (strcmp(finding_codes[i].code, code) == 0)
			return i;
	}
	return -1;
}

/* RFC 3986: what is no path character goes as %XX. */
static json_t *uri_new(const char *path)
{
	struct buf uri;
	json_t *text;

	buf_init(&uri, 3 * PATH_MAX);
	for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
		if ((*c < 0x80 && isalnum(*c)) || strchr("/-._~", *c))
			buf_char(&uri, (char)*c);
		else
			buf_printf(&uri, "%%%02X", *c);
	}
	text = json_stringn(uri.data ? uri.data : "", uri.len);
	buf_free(&uri);
	return text;
}

static json_t *location_new(const struct finding *f)
{
	json_t *physical = json_pack("{s:{s:o, s:s}}", "artifactLocation", "uri",
				     uri_new(f->place.file ? f->place.file : "site.yaml"), "uriBaseId", "SITE");

	if (f->place.line > 0) {
		json_t *region = json_pack("{s:i}", "startLine", f->place.line);

		if (f->place.column > 0)
			json_object_set_new(region, "startColumn", json_integer(f->place.column));
		json_object_set_new(physical, "region", region);
	}
	return json_pack("{s:o}", "physicalLocation", physical);
}

/* The same finding in the next run has the same print, wherever its line has moved to. */
static json_t *print_new(const struct finding *f)
{
	struct span parts[] = {span_of(f->code), span_of(f->place.file ? f->place.file : ""), span_of(f->text)};
	struct id id = id_of(parts, sizeof parts / sizeof *parts);
	char hex[ID_TEXT];

	id_hex(&id, hex);
	return json_pack("{s:s}", "ferrule/v1", hex);
}

static json_t *result_new(const struct finding *f)
{
	json_t *result = json_pack("{s:s, s:s, s:{s:s}, s:[o], s:o}", "ruleId", f->code, "level",
				   severity_name(f->severity), "message", "text", f->text, "locations", location_new(f),
				   "partialFingerprints", print_new(f));

	if (result && rule_index(f->code) >= 0)
		json_object_set_new(result, "ruleIndex", json_integer(rule_index(f->code)));
	if (result && f->scope)
		json_object_set_new(result, "properties", json_pack("{s:s}", "scope", f->scope));
	return result;
}

json_t *report_sarif_new(const struct findings *findings, const char *directory)
{
	json_t *results = json_array();
	char top[PATH_MAX], base[PATH_MAX + 16];

	if (!realpath(directory, top))
		snprintf(top, sizeof top, "/");
	snprintf(base, sizeof base, "file://%s%s", top, strcmp(top, "/") != 0 ? "/" : "");
	for (size_t i = 0; i < findings->count; i++)
		json_array_append_new(results, result_new(&findings->list[i]));
	return json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:s, s:o}}, s:{s:{s:s}}, s:s, s:o}]}", "$schema", SCHEMA,
			 "version", "2.1.0", "runs", "tool", "driver", "name", "ferrule", "version", PACKAGE_VERSION,
			 "informationUri", "https://ferrule.example/check", "rules", rules_new(), "originalUriBaseIds",
			 "SITE", "uri", base, "columnKind", "unicodeCodePoints", "results", results);
}
