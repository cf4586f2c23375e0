#include "relay/inbound/repairs.h"

#include "proto/smtp_path.h"
#include "proto/smtp_server.h"

static void add(struct buf *out, bool is_so, const char *words)
{
	if (is_so)
		buf_printf(out, "%s%s", buf_len(out) > 0 ? ", " : "", words);
}

void repairs_list(struct buf *out, const struct repairs *repairs)
{
	unsigned i;

	for (i = 0; i < SMTP_QUIRKS; i++)
		add(out, repairs->quirks & 1u << i,
		    smtp_quirk_text((enum smtp_quirk)i));
	for (i = 0; i < SMTP_PATH_REPAIRS; i++)
		add(out, repairs->path & 1u << i,
		    smtp_path_repair_text((enum smtp_path_repair)i));
	add(out, repairs->completed, "domain added to a recipient");
	for (i = 0; i < INTAKE_REPAIRS; i++)
		add(out, repairs->intake & 1u << i,
		    intake_repair_text((enum intake_repair)i));
	add(out, repairs->content->is_undeclared, "8-bit text declared");
	add(out, repairs->content->is_long, "lines over 998 octets mended");
}

bool repairs_are_faults(const struct repairs *repairs)
{
	unsigned usual = INTAKE_REPAIR(BCC) | INTAKE_REPAIR(RETURN_PATH);

	return repairs->quirks != 0 || repairs->path != 0 ||
	       repairs->completed || (repairs->intake & ~usual) != 0 ||
	       repairs->content->is_undeclared || repairs->content->is_long;
}
