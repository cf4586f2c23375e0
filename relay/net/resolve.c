#include "relay/net/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/net/loop_internal.h"

enum { RESOLVE_ADDRESSES_MAX = 16 }; /* nobody waits for a seventeenth */

struct resolve {
	uv_getaddrinfo_t request;
	struct deferred deferred;  /* when host is an address */
	struct address literal;
	uint16_t port;
	resolve_cb done;           /* NULL: cancelled */
	void *ctx;
};

/* --- answers ------------------------------------------------------------ */

static void answer(struct resolve *resolve, const struct resolve_result *result)
{
	resolve_cb done = resolve->done;
	void *ctx = resolve->ctx;

	free(resolve);
	if (done)
		done(ctx, result);
}

static void answer_literal(void *ctx)
{
	struct resolve *resolve = ctx;
	struct address literal = resolve->literal;

	answer(resolve, &(struct resolve_result){ .addresses = &literal,
	                                          .count = 1 });
}

static void answer_error(struct resolve *resolve, int status)
{
	struct resolve_result result = { .error = uv_strerror(status) };

	switch (status) {
	case UV_EAI_NONAME:
		result.error = "there is no such host name";
		result.no_such_name = true;
		break;
	case UV_EAI_NODATA:
		result.error = "the host name has no address";
		result.no_such_name = true;
		break;
	case UV_EAI_AGAIN:
		result.error = "no name server answered";
		break;
	case UV_EAI_FAIL:
		result.error = "the name server failed";
		break;
	default:
		break;
	}
	answer(resolve, &result);
}

/* --- ordering ----------------------------------------------------------- */

static bool is_known(const struct address *list, size_t count,
                     const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_same_host(&list[i], address))
			return true;
	return false;
}

static size_t collect(const struct addrinfo *info, uint16_t port,
                      struct address *list)
{
	size_t count = 0;

	for (; info && count < RESOLVE_ADDRESSES_MAX; info = info->ai_next) {
		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		address_from_sockaddr(info->ai_addr, &list[count]);
		list[count].port = port;
		if (!is_known(list, count, &list[count]))
			count++;
	}
	return count;
}

/* The next address from *from on of the wanted family. */
static size_t next_of_family(const struct address *list, size_t count,
                             size_t from, bool is_v6)
{
	while (from < count && list[from].is_v6 != is_v6)
		from++;
	return from;
}

/* The system's first choice first, then the families by turns. */
static void interleave(const struct address *list, size_t count,
                       struct address *out)
{
	size_t at[2] = { 0, 0 }, filled = 0;
	bool is_v6 = count > 0 && list[0].is_v6;

	while (filled < count) {
		size_t found = next_of_family(list, count, at[is_v6], is_v6);

		at[is_v6] = found + 1;
		if (found < count)
			out[filled++] = list[found];
		is_v6 = !is_v6;
	}
}

static void looked_up(uv_getaddrinfo_t *request, int status,
                      struct addrinfo *info)
{
	struct resolve *resolve = request->data;
	struct address list[RESOLVE_ADDRESSES_MAX], out[RESOLVE_ADDRESSES_MAX];
	size_t count = status == 0 ? collect(info, resolve->port, list) : 0;

	uv_freeaddrinfo(info);
	if (status == 0 && count == 0)
		status = UV_EAI_NODATA;
	if (status != 0) {
		answer_error(resolve, status);
		return;
	}
	interleave(list, count, out);
	answer(resolve, &(struct resolve_result){ .addresses = out,
	                                          .count = count });
}

/* --- asking ------------------------------------------------------------- */

static void refuse(void *ctx)
{
	answer_error(ctx, UV_EAI_NONAME);
}

struct resolve *resolve_start(struct loop *loop, const char *host,
                              uint16_t port, resolve_cb done, void *ctx)
{
	static const struct addrinfo hints = { .ai_family = AF_UNSPEC,
	                                       .ai_socktype = SOCK_STREAM };
	struct resolve *resolve = xcalloc(1, sizeof(*resolve));

	resolve->done = done;
	resolve->ctx = ctx;
	resolve->port = port;
	resolve->request.data = resolve;
	resolve->deferred.ctx = resolve;
	if (address_parse(text_of(host), &resolve->literal)) {
		resolve->literal.port = port;
		resolve->deferred.run = answer_literal;
		loop_defer(loop, &resolve->deferred);
	} else if (uv_getaddrinfo(&loop->uv, &resolve->request, looked_up, host,
	                          NULL, &hints) != 0) {
		/* Not a name at all: empty, too long, not to be encoded. */
		resolve->deferred.run = refuse;
		loop_defer(loop, &resolve->deferred);
	}
	return resolve;
}

void resolve_cancel(struct resolve **resolve_ptr)
{
	struct resolve *resolve = *resolve_ptr;

	if (!resolve)
		return;
	*resolve_ptr = NULL;
	if (resolve->deferred.run) {
		loop_undefer(&resolve->deferred);
		free(resolve);
		return;
	}
	resolve->done = NULL;
	uv_cancel((uv_req_t *)&resolve->request);
}
