/*
 * settlement_private -- what the files of a settlement share, and nobody else
 * includes: settlement.c (results, the outcome), settlement_log.c (a line for
 * those with the same fate), settlement_device.c (what a device that waits for
 * the verdict is told).
 */
#ifndef RELAY_OUTBOUND_SETTLEMENT_PRIVATE_H
#define RELAY_OUTBOUND_SETTLEMENT_PRIVATE_H

#include "relay/outbound/settlement.h"

/* ---- settlement.c ---- */

/* Of the account, for the fix; NULL: it has none, or is gone. */
const char *settlement_username(const struct config *config,
                                const char *account);
/* What a recipient with this result is now. */
enum recipient_state settlement_fate(const struct settlement_result *result);
/* With this one, if it is an attempt. */
unsigned settlement_attempts(const struct settlement *settlement);
/* That stands for the whole in the history and for a device. */
const struct settlement_result *
settlement_worst(const struct settlement *settlement);
/* Another account is to send it now than the one that could not. */
bool settlement_goes_elsewhere(const struct settlement *settlement);
bool settlement_goes_at_once(const struct settlement *settlement);

/* ---- settlement_log.c ---- */

/* over: who would be tried again has expired. */
void settlement_log(const struct settlement *settlement, bool over);

/* ---- settlement_device.c ---- */

/* All of it is refused, and a device waits to hear that. */
bool settlement_goes_to_device(const struct settlement *settlement);
/* It is the device's again: what pauses the account is the end of this
 * message. */
void settlement_give_back(struct settlement *settlement);
/* How it stands with the message, unless it is tried again at once and may
 * still be heard better of. */
void settlement_tell_device(const struct settlement *settlement,
                            enum message_state state);

#endif
