/* Every code that a finding of `check` can have, with a sentence: what `check --codes` shows, what SARIF calls rules,
 * and what the reference lists. The lint sees to it that a code stands here, and that tests/broken has a site for it.
 * See site.h. */
#include "config.h"
#include "config/site.h"

#define E SEVERITY_ERROR
#define W SEVERITY_WARNING

const struct finding_code finding_codes[] = {
	{"contract.dialect", E, "A contract names another dialect than JSON Schema 2020-12"},
	{"contract.json", E, "A contract is not a JSON object"},
	{"contract.keys", E, "x-ferrule-keys is not a list of jq paths"},
	{"contract.keyword", W, "A keyword that JSON Schema does not know looks like one that it knows"},
	{"contract.name", E, "A contract's file is not named canonical/<entity>/v<n>.schema.json"},
	{"contract.reference", E, "A $ref leads nowhere in its contract"},
	{"contract.required", W, "A required name is not among the properties; an error where nothing else is allowed"},
	{"contract.schema", E, "A keyword of JSON Schema has a value of the wrong kind"},
	{"contract.unknown", E, "There is no contract of this name and version"},
	{"document.form", E, "A document in flows/ or systems/ does not begin with its name"},
	{"document.later", E, "A folder is not in this version yet, and nothing would act on its files"},
	{"duplicates.by", E, "What makes two documents the same is content, none, or a list of jq over the envelope"},
	{"duplicates.place", E, "`duplicates` stands in a flow that receives nothing"},
	{"duplicates.within", E, "Duplicates would be recognised for longer than receipts are kept"},
	{"effect.form", E, "An effect is said in two ways, or in none"},
	{"effect.missing", E, "A sink does not say how a delivery is made once and found again"},
	{"effect.unfit", E, "This effect does not fit this kind of sink"},
	{"effect.unknown", E, "There is no such effect"},
	{"encode.columns", E, "Columns are not a list of names, or of NAME: jq"},
	{"encode.separator", E, "A separator is not one character"},
	{"endpoint.direction", E, "Nothing can be received from this kind of endpoint"},
	{"endpoint.form", E, "An endpoint is not a map with its kind"},
	{"endpoint.kind", E, "An endpoint does not say its kind, or one that there is not"},
	{"endpoint.later", E, "This kind of endpoint is not in this version yet"},
	{"endpoint.taken", E, "Two flows receive from the same place, and would take each other's documents"},
	{"environment.form", E, "An environment is not a map of NAME: value"},
	{"environment.unused", W, "No file asks for this value of an environment"},
	{"expect.what", E, "An expectation names neither an event nor a file, or both"},
	{"expect.when", E, "An expectation does not say by when"},
	{"flow.env", E, "A flow runs in an environment that there is not"},
	{"flow.input", E, "A flow has no input, or two kinds of it"},
	{"flow.output", E, "A flow has no output, two kinds of it, or settings of one that it does not have"},
	{"jq.compile", E, "A jq expression or mapping does not compile"},
	{"map.program", E, "A map has neither a mapping nor a program, or both"},
	{"mapping.unused", W, "No flow uses this mapping"},
	{"name.form", E, "A name has characters that names do not have"},
	{"name.taken", E, "Two flows, endpoints or systems have the same name"},
	{"operation.form", E, "An operation is not named SYSTEM.OPERATION"},
	{"operation.system", E, "There is no system of this name"},
	{"operation.unknown", E, "The system has no operation of this name"},
	{"option.enum", E, "A value is not one of the words that are allowed here"},
	{"option.mapping", E, "There is no mapping of this name"},
	{"option.missing", E, "A key that is required is missing"},
	{"option.range", E, "A value is smaller or larger than it may be"},
	{"option.secret", E, "A secret is not named as {secret: NAME}"},
	{"option.type", E, "A value is not of the type that is expected here"},
	{"option.unknown", E, "There is no such key here"},
	{"retry.lifetime", E, "Deliveries would be tried for longer than a message may be in a queue"},
	{"retry.order", E, "The times of `retry` are not in their order"},
	{"route.always", E, "A case of a route always matches, so that those below never do"},
	{"route.cases", E, "A route is not a list of {when: jq, publish: topic}"},
	{"route.otherwise", E, "`otherwise` of a route has a condition"},
	{"route.topic", E, "Two branches of a route publish to the same topic"},
	{"runbook.missing", W, "A runbook is not there"},
	{"schema.invalid", E, "A contract is not a valid JSON Schema"},
	{"secret.missing", W, "A secret is not on this machine"},
	{"secret.mode", E, "Others can read the directory of secrets"},
	{"site.choice", E, "There is no such queue, store or listener"},
	{"site.documents", E, "site.yaml has more than one document"},
	{"site.listen", E, "There are webhooks and no listener"},
	{"site.pair", E, "This queue and this store cannot commit a unit of work together"},
	{"site.retention", E, "Something is kept for less time than something that needs it"},
	{"snippet.count", E, "The site has too many snippets"},
	{"snippet.cycle", E, "Snippets use each other in a circle"},
	{"snippet.depth", E, "Snippets use snippets too deeply"},
	{"snippet.form", E, "A snippet's file is not one map"},
	{"snippet.missing", E, "A use of a snippet lacks a parameter that has no default"},
	{"snippet.name", E, "A snippet is not called as its file is"},
	{"snippet.on-reject", E, "`on-reject` stands at the use of a snippet, not at a step inside it"},
	{"snippet.parameter", E, "A parameter's name has characters that such names do not have"},
	{"snippet.parameters", E, "The parameters of a snippet are not a map of NAME: default"},
	{"snippet.undeclared", E, "A use of a snippet gives a parameter that the snippet does not have"},
	{"snippet.unknown", E, "There is no snippet of this name"},
	{"snippet.unused", W, "No flow uses this snippet, or no step of it a parameter"},
	{"snippet.with", E, "What a use gives its snippet is not a map of values"},
	{"split.ids", E, "Too many expressions make the id of a part"},
	{"step.count", E, "A flow has too many steps"},
	{"step.depth", E, "Branches lie within branches too deeply"},
	{"step.form", E, "A step is not a map, or gets what it cannot work on"},
	{"step.unknown", E, "There is no such step"},
	{"system.operations", E, "The operations of a system are not a map of settings"},
	{"template.open", E, "A $( is not closed"},
	{"topic.cycle", E, "Messages go in a circle"},
	{"topic.form", E, "A topic is not words with dots and its version last"},
	{"topic.publisher", E, "No flow publishes to a topic that a flow subscribes to"},
	{"topic.subscriber", W, "No flow subscribes to a topic that a flow publishes to"},
	{"variable.key", E, "A variable stands in a key"},
	{"variable.size", E, "A value is too large with its variables replaced"},
	{"variable.syntax", E, "${ begins no variable"},
	{"variable.undefined", E, "A variable has no value and no default"},
	{"yaml.alias", E, "A YAML alias stands where a value should be written out"},
	{"yaml.depth", E, "Values are nested too deeply"},
	{"yaml.encoding", E, "A file is not UTF-8"},
	{"yaml.key", E, "A key is not plain text"},
	{"yaml.nul", E, "A text has a NUL character"},
	{"yaml.repeated", E, "A key stands twice in one map"},
	{"yaml.size", E, "A file is too large"},
	{"yaml.syntax", E, "A file is not YAML"},
	{"yaml.tag", E, "A YAML tag stands where the option decides what a value is"},
	{NULL, E, NULL},
};

const struct finding_code *finding_code_find(const char *code)
{
	for (const struct finding_code *c = finding_codes; c->code; c++) {
		if (strcmp(c->code, code) == 0)
			return c;
	}
	return NULL;
}

json_t *report_codes_new(void)
{
	json_t *list = json_array();

	for (const struct finding_code *c = finding_codes; c->code; c++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "code", c->code, "severity",
						      severity_name(c->severity), "help", c->help));
	return list;
}
