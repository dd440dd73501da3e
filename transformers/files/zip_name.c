/* Names of members of an archive. See zip_name.h. */
#include "config.h"
#include "transformers/files/zip_name.h"

#include "base/utf8.h"

/* 0x80 to 0xff of code page 437 */
static const char *const upper[128] = {
	"Ç", "ü", "é", "â", "ä", "à", "å", "ç", "ê", "ë", "è", "ï", "î", "ì", "Ä", "Å", "É", "æ", "Æ", "ô", "ö", "ò",
	"û", "ù", "ÿ", "Ö", "Ü", "¢", "£", "¥", "₧", "ƒ", "á", "í", "ó", "ú", "ñ", "Ñ", "ª", "º", "¿", "⌐", "¬", "½",
	"¼", "¡", "«", "»", "░", "▒", "▓", "│", "┤", "╡", "╢", "╖", "╕", "╣", "║", "╗", "╝", "╜", "╛", "┐", "└", "┴",
	"┬", "├", "─", "┼", "╞", "╟", "╚", "╔", "╩", "╦", "╠", "═", "╬", "╧", "╨", "╤", "╥", "╙", "╘", "╒", "╓", "╫",
	"╪", "┘", "┌", "█", "▄", "▌", "▐", "▀", "α", "ß", "Γ", "π", "Σ", "σ", "µ", "τ", "Φ", "Θ", "Ω", "δ", "∞", "φ",
	"ε", "∩", "≡", "±", "≥", "≤", "⌠", "⌡", "÷", "≈", "°", "∙", "·", "√", "ⁿ", "²", "■", "\302\240",
};

static int refuse(struct span name, const char *why, struct error *error)
{
	return error_set(error, ERROR_REJECT, "zip.path", "the member \"%.*s\" %s: nothing was unpacked",
			 (int)(name.len < 200 ? name.len : 200), name.data ? name.data : "", why);
}

static const char *part_fault(struct span part)
{
	if (span_is(part, ".."))
		return "leads out of the archive";
	for (size_t i = 0; i < part.len; i++)
		if ((unsigned char)part.data[i] < ' ' || part.data[i] == 0x7f)
			return "has a control character in its name";
	return NULL;
}

static int check(struct span name, struct error *error)
{
	const char *fault;

	if (!name.len)
		return refuse(name, "has no name", error);
	if (name.len > ZIP_NAME_MAX)
		return refuse(name, "has too long a name", error);
	if (name.data[0] == '/' || (name.len > 1 && name.data[1] == ':'))
		return refuse(name, "has an absolute name", error);
	for (size_t at = 0; at <= name.len;) {
		const char *slash = memchr(name.data + at, '/', name.len - at);
		size_t end = slash ? (size_t)(slash - name.data) : name.len;

		fault = part_fault(span_make(name.data + at, end - at));
		if (fault)
			return refuse(name, fault, error);
		at = end + 1;
	}
	return 0;
}

int zip_name(struct buf *into, struct span raw, struct error *error)
{
	bool clean = utf8_is_clean(raw);
	size_t from = into->len;

	if (raw.len > ZIP_NAME_MAX)
		return refuse(raw, "has too long a name", error);
	for (size_t i = 0; i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.data[i];

		if (c >= 0x80 && !clean)
			buf_text(into, upper[c - 0x80]);
		else
			buf_char(into, c == '\\' ? '/' : (char)c);
	}
	return check(span_make(into->data ? into->data + from : "", into->len - from), error);
}
