/* ASCII in place of letters that a narrow character set has not: accents go, umlauts get an e (as passports have it),
 * punctuation and signs become what is near. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#define FIRST 0xa0

static const char *const latin[] = {
	/* U+00A0 to U+017F */
	" ", "!",   "c",  "GBP", "",   "JPY", "/",  "par.", "\"", "(c)", "a", "\"", "-",   "-",   "(r)", "-",
	"o", "+/-", "2",  "3",   "'",  "u",   "",   ".",    ",",  "1",   "o", "\"", "1/4", "1/2", "3/4", "?",
	"A", "A",   "A",  "A",   "Ae", "Aa",  "AE", "C",    "E",  "E",   "E", "E",  "I",   "I",   "I",   "I",
	"D", "N",   "O",  "O",   "O",  "O",   "Oe", "x",    "Oe", "U",   "U", "U",  "Ue",  "Y",   "Th",  "ss",
	"a", "a",   "a",  "a",   "ae", "aa",  "ae", "c",    "e",  "e",   "e", "e",  "i",   "i",   "i",   "i",
	"d", "n",   "o",  "o",   "o",  "o",   "oe", "/",    "oe", "u",   "u", "u",  "ue",  "y",   "th",  "y",
	"A", "a",   "A",  "a",   "A",  "a",   "C",  "c",    "C",  "c",   "C", "c",  "C",   "c",   "D",   "d",
	"D", "d",   "E",  "e",   "E",  "e",   "E",  "e",    "E",  "e",   "E", "e",  "G",   "g",   "G",   "g",
	"G", "g",   "G",  "g",   "H",  "h",   "H",  "h",    "I",  "i",   "I", "i",  "I",   "i",   "I",   "i",
	"I", "i",   "IJ", "ij",  "J",  "j",   "K",  "k",    "k",  "L",   "l", "L",  "l",   "L",   "l",   "L",
	"l", "L",   "l",  "N",   "n",  "N",   "n",  "N",    "n",  "n",   "N", "n",  "O",   "o",   "O",   "o",
	"O", "o",   "OE", "oe",  "R",  "r",   "R",  "r",    "R",  "r",   "S", "s",  "S",   "s",   "S",   "s",
	"S", "s",   "T",  "t",   "T",  "t",   "T",  "t",    "U",  "u",   "U", "u",  "U",   "u",   "U",   "u",
	"U", "u",   "U",  "u",   "W",  "w",   "Y",  "y",    "Y",  "Z",   "z", "Z",  "z",   "Z",   "z",   "s",
};

static const struct {
	uint16_t character;
	const char *text;
} others[] = {
	{0x0218, "S"}, {0x0219, "s"},  {0x021a, "T"},  {0x021b, "t"},   {0x1e9e, "SS"}, {0x2010, "-"},
	{0x2011, "-"}, {0x2012, "-"},  {0x2013, "-"},  {0x2014, "-"},   {0x2018, "'"},  {0x2019, "'"},
	{0x201a, ","}, {0x201c, "\""}, {0x201d, "\""}, {0x201e, "\""},  {0x2022, "."},  {0x2026, "..."},
	{0x202f, " "}, {0x2039, "<"},  {0x203a, ">"},  {0x20ac, "EUR"}, {0x2122, "TM"},
};

const char *edi_transliterate(uint32_t character)
{
	if (character >= FIRST && character < FIRST + sizeof latin / sizeof *latin)
		return latin[character - FIRST];
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i].character == character)
			return others[i].text;
	return NULL;
}
