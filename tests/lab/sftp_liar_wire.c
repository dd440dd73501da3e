/* Bytes and fields of the lying SFTP server. See sftp_liar.h. */
#include "config.h"
#include "tests/lab/sftp_liar.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned char in[PACKET], out[2 * PACKET];
size_t in_len, in_at, out_len;
long bytes_left_in = -1, bytes_left_out = -1;

bool get_bytes(void *into, size_t len)
{
	for (unsigned char *at = into; len;) {
		size_t want = bytes_left_in >= 0 && (size_t)bytes_left_in < len ? (size_t)bytes_left_in : len;
		ssize_t n = want ? read(0, at, want) : 0;

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
		bytes_left_in -= bytes_left_in >= 0 ? n : 0;
	}
	return true;
}

void send_bytes(const unsigned char *from, size_t len)
{
	while (len) {
		size_t want = bytes_left_out >= 0 && (size_t)bytes_left_out < len ? (size_t)bytes_left_out : len;
		ssize_t n = want ? write(1, from, want) : 0;

		if (n <= 0)
			exit(0);
		from += n;
		len -= (size_t)n;
		bytes_left_out -= bytes_left_out >= 0 ? n : 0;
	}
	if (bytes_left_out == 0)
		exit(0);
}

uint32_t take_u32(void)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | (in_at < in_len ? in[in_at++] : 0);
	return value;
}

uint64_t take_u64(void)
{
	uint64_t high = take_u32();

	return high << 32 | take_u32();
}

const unsigned char *take_bytes(size_t *len)
{
	const unsigned char *at;

	*len = take_u32();
	if (*len > in_len - in_at)
		*len = in_len - in_at;
	at = in + in_at;
	in_at += *len;
	return at;
}

char *take_path(void)
{
	static char paths[2][PATH_MAX];
	static unsigned n;
	size_t len;
	const unsigned char *at = take_bytes(&len);
	char *path = paths[n++ % 2];

	snprintf(path, PATH_MAX, "%.*s", (int)len, (const char *)at);
	return path;
}

void put_u32(uint32_t value)
{
	for (int i = 24; i >= 0; i -= 8)
		out[out_len++] = (unsigned char)(value >> i);
}

void put_u64(uint64_t value)
{
	put_u32((uint32_t)(value >> 32));
	put_u32((uint32_t)value);
}

void put_bytes(const void *bytes, size_t len)
{
	put_u32((uint32_t)len);
	memcpy(out + out_len, bytes, len);
	out_len += len;
}

void put_text(const char *text)
{
	put_bytes(text, strlen(text));
}
