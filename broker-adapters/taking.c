/* What sources of files ask of a file. See taking.h. */
#include "config.h"
#include "broker-adapters/taking.h"

#include <ctype.h>
#include <string.h>

int taking_check(const struct taking *taking, struct error *error)
{
	if (taking->sidecar && (!taking->sidecar[0] || strpbrk(taking->sidecar, "/*?[") ||
				isalnum((unsigned char)taking->sidecar[0])))
		return error_set(error, ERROR_FATAL, "file.sidecar",
				 "sidecar: '%s' must be the end of a file name, as in '.sha256'", taking->sidecar);
	if (taking->min_size <= taking->max_size)
		return 0;
	return error_set(error, ERROR_FATAL, "file.size",
			 "min-size: %llu is more than max-size: %llu; no file could be taken",
			 (unsigned long long)taking->min_size, (unsigned long long)taking->max_size);
}

int taking_size(const struct taking *taking, const char *folder, const char *shown, uint64_t size, struct error *error)
{
	if (size > taking->max_size)
		return error_set(error, ERROR_REJECT, "document.too-large",
				 "%s/%s has %llu bytes, more than max-size: %llu", folder, shown,
				 (unsigned long long)size, (unsigned long long)taking->max_size);
	if (size == 0 && taking->empty == EMPTY_REFUSE)
		return error_set(error, ERROR_REJECT, "document.empty", "%s/%s is empty, and empty: refuse", folder,
				 shown);
	if (size > 0 && size < taking->min_size)
		return error_set(error, ERROR_REJECT, "document.too-small",
				 "%s/%s has %llu bytes, less than min-size: %llu", folder, shown,
				 (unsigned long long)size, (unsigned long long)taking->min_size);
	return 0;
}

size_t taking_archived(const char *folder, const char *path)
{
	static const char form[] = "/dddd-dd-dd/";
	size_t n = strlen(folder);

	if (strncmp(path, folder, n) != 0)
		return 0;
	for (size_t i = 0; form[i]; i++, n++)
		if (form[i] == 'd' ? path[n] < '0' || path[n] > '9' : path[n] != form[i])
			return 0;
	return path[n] && path[n] != '.' && !strchr(path + n, '/') ? n : 0;
}
