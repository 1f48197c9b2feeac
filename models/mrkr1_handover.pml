/*
 * MRKR/1 hand-over under crashes, losses and repetitions: region O hands a key over to region 0 or, where that is undone, to region 1.
 *
 * The proxy is a set of released messages that only grows: any of them may be delivered at any time, any number of times, or never.
 * What is journalled survives a crash; an offer's agreement key does not, so that a crash of its region ends the offer.
 *
 * O's key: PRIM; ASKED (a hand-over is under way, and its certificate has not left or is known to be worthless); DOUBT (the certificate
 * may be with the new primary); REPL. A session at O is INTENT, SENT or over; at the new primary OFFERED, INSTALLED or over.
 *
 * H1 never two primaries. H2 O becomes a replica only of a region that is the primary. H3 at rest there is a primary, unless O is in
 * doubt and has no session left to ask in.
 *
 * Each -DMUT_* breaks one rule of the protocol; scripts/models.sh expects spin to refute every one of them.
 * Checked: docs/PROTOCOL.md section 6.6.
 */
#define NS 4            /* sessions that O may begin */
#define NONE 0
#define INTENT 1
#define SENT 2
#define OFFERED 3
#define INST 4
#define OVER 5
#define PRIM 6
#define ASKED 7
#define DOUBT 8
#define REPL 9
#ifndef CR
#define CR 2
#endif
#ifndef LOSS
#define LOSS 3
#endif
/* released messages of each session; done: "this region has taken the key over already" */
bool m0[NS]; bool m1[NS]; bool m2[NS]; bool m3[NS]; bool mx[NS]; bool done[NS]; bool undo[NS];
/* O's journal */
byte oKey = PRIM; byte oS[NS]; byte oNext; byte want; byte target[NS];
/* the journals of the other two; rakb is in the token */
byte dS[NS]; bool rakb[NS]; bool prim[2];
byte crashes = CR; byte losses = LOSS; byte i;

#define PRIMARIES ((oKey == PRIM) + prim[0] + prim[1])
#define OPEN(s) (oS[s] == INTENT || oS[s] == SENT)
#define IDLE (!OPEN(0) && !OPEN(1) && !OPEN(2) && !OPEN(3))
inline inv() {
  assert(PRIMARIES <= 1);                             /* H1 */
  assert(oKey != REPL || prim[want]);                 /* H2 */
}

#ifdef MUT_UNMARKED
#define MARK skip
#else
#define MARK oKey = DOUBT
#endif
#ifdef MUT_MX_UNDOES
#define SETTLE_BY_MX(s) oKey = PRIM
#else
#define SETTLE_BY_MX(s) if :: oKey == DOUBT && oS[s] == INTENT -> skip :: else -> if :: oKey = PRIM :: oKey = ASKED fi fi
#endif
#ifdef MUT_REVOKED_UNDOES
#define GIVE_UP oKey = PRIM
#else
#define GIVE_UP skip
#endif
#ifdef MUT_KEEP_OLDER
#define END_OLDER(s) skip
#else
#define END_OLDER(s) i = 0; do :: i < s -> if :: target[i] == target[s] && dS[i] != INST -> dS[i] = OVER; rakb[i] = false :: else -> skip fi; i++ :: else -> break od; i = 0
#endif
#ifdef MUT_SPLIT_COMMIT
#define INSTALL(s) m3[s] = true
#else
#define INSTALL(s) dS[s] = INST; prim[target[s]] = true; m3[s] = true
#endif

/* O: M1. SENT and the mark are one commit, before M2 leaves. */
#define AT_M1(s) :: atomic { oS[s] == INTENT && m1[s] -> MARK; oS[s] = SENT; m2[s] = true; inv() }
/* O: M3 */
#define AT_M3(s) :: atomic { oS[s] == SENT && m3[s] -> oS[s] = OVER; oKey = REPL; inv() }
/* O: the new primary ends a session; what it says of another one than the certificate was sent in proves nothing about that one. */
#define AT_MX(s) :: atomic { OPEN(s) && mx[s] -> SETTLE_BY_MX(s); oS[s] = OVER; inv() }
#define AT_DONE(s) :: atomic { oS[s] == INTENT && done[s] && oKey == DOUBT -> oS[s] = OVER; oKey = REPL; inv() }
/* O: no answer to M0 for too long */
#define TIMEOUT(s) :: atomic { oS[s] == INTENT && oKey == ASKED && losses > 0 -> losses--; oS[s] = OVER; undo[s] = true; oKey = PRIM; inv() }
/* O: a signing key of the new primary was revoked: its confirmation is not believed any more */
#define REVOKED(s) :: atomic { oS[s] == SENT && losses > 0 && oNext < NS -> losses--; oS[s] = OVER; GIVE_UP; inv() }
#ifdef MUT_UNDO_SENT
#define IMPATIENT(s) :: atomic { oS[s] == SENT && losses > 0 -> losses--; oS[s] = OVER; oKey = PRIM; inv() }
#else
#define IMPATIENT(s)
#endif
/* the new primary: M0. A newer offer ends the older ones; an older intent is not offered any more. */
#define AT_M0(s) :: atomic { m0[s] && dS[s] == NONE && !prim[target[s]] -> END_OLDER(s); dS[s] = OFFERED; rakb[s] = true; m1[s] = true; inv() }
#define AT_M0_DONE(s) :: atomic { m0[s] && dS[s] == NONE && prim[target[s]] && !done[s] -> done[s] = true; inv() }
#define REFUSES(s) :: atomic { m0[s] && dS[s] == NONE && !prim[target[s]] && losses > 0 -> losses--; dS[s] = OVER; mx[s] = true; inv() }
/* the new primary: M2, the commit point, or a failure of its token */
#define AT_M2(s) :: atomic { m2[s] && dS[s] == OFFERED && rakb[s] -> INSTALL(s); rakb[s] = false; inv() }
#define FAILS(s) :: atomic { m2[s] && dS[s] == OFFERED && rakb[s] && losses > 0 -> losses--; dS[s] = OVER; mx[s] = true; rakb[s] = false; inv() }
/* an offer's time is over, O has undone the hand-over, or M2 or a query is about a session that is over */
#define EXPIRES(s) :: atomic { dS[s] == OFFERED && losses > 0 -> losses--; dS[s] = OVER; rakb[s] = false; mx[s] = true; inv() }
#define AT_UNDO(s) :: atomic { dS[s] == OFFERED && undo[s] -> dS[s] = OVER; rakb[s] = false; inv() }
#define AT_QUERY(s) :: atomic { oS[s] == SENT && dS[s] == OVER && !mx[s] -> mx[s] = true; inv() }
#define EACH(RULE) RULE(0) RULE(1) RULE(2) RULE(3)

active proctype sys() {
end:
  do
  /* UpdatePrimaryRegion: the key is a replica from here on */
  :: atomic { oKey == PRIM && IDLE && oNext < NS - 1 -> if :: want = 0 :: want = 1 fi; oKey = ASKED; inv() }
  :: atomic { (oKey == ASKED || oKey == DOUBT) && IDLE && oNext < NS -> oS[oNext] = INTENT; target[oNext] = want; m0[oNext] = true; oNext++; inv() }
  EACH(AT_M1) EACH(AT_M3) EACH(AT_MX) EACH(AT_DONE) EACH(TIMEOUT) EACH(REVOKED) EACH(IMPATIENT)
  EACH(AT_M0) EACH(AT_M0_DONE) EACH(REFUSES) EACH(AT_M2) EACH(FAILS) EACH(EXPIRES) EACH(AT_UNDO) EACH(AT_QUERY)
  /* agreement keys are gone with a process, and their offers end; what was installed is confirmed again */
  :: atomic { crashes > 0 -> crashes--; i = 0;
       do :: i < NS -> if :: dS[i] == OFFERED -> dS[i] = OVER; rakb[i] = false; mx[i] = true :: else -> skip fi; i++ :: else -> break od;
       i = 0; inv() }
  :: atomic { crashes > 0 -> crashes-- }
  :: atomic { losses > 0 -> losses-- }
  /* rest: nothing that was sent can change anything any more */
  :: atomic { crashes == 0 && losses == 0 && IDLE && (oKey == PRIM || oKey == REPL) -> assert(PRIMARIES == 1); goto quiet }   /* H3 */
  :: atomic { crashes == 0 && losses == 0 && IDLE && oNext == NS && (oKey == ASKED || oKey == DOUBT) -> goto quiet }          /* no session is left */
  od;
quiet: skip
}
