/*
 * MRKR/1 under crashes, duplicates and replays: one key, replicated from A (source) to B (destination).
 *
 * The proxy is a set of released messages that only grows: any of them may be delivered at any time, any number of times.
 * What is journalled survives a crash; what is in memory and the token's session objects do not; token objects do.
 *
 * -DWRAPPED models key storage "wrapped" (the default): the material's row and the journal's INSTALLED are one transaction and no
 * token object is made. Without it the model is key storage "token": a token object labelled pending:<sid>, relabelled after the commit.
 *
 * Invariants: I1 at most one live key. I2 A DONE implies B INSTALLED and the key live. I3 never two different M2 for one session.
 * I4 at rest no pending object, no ephemeral key, and A DONE exactly when one key is live. I5 never A ABORTED with B INSTALLED.
 *
 * Each -DMUT_* breaks one rule of the protocol; scripts/models.sh expects spin to refute every one of them.
 * Checked: docs/PROTOCOL.md, crash recovery.
 */
#define NS 2            /* sessions B may try */
#define NONE 0
#define SENT 1
#define DONE 2
#define ABRT 3
#define OFFERED 4
#define UNWRAP 5
#define INST 6
#ifndef CR
#define CR 2
#endif
#ifndef DUP
#define DUP 2
#endif
/* network: monotone set of released messages */
bool m1[NS]; bool m2v0[NS]; bool m2v1[NS]; bool m3v0[NS]; bool m3v1[NS]; bool mx[NS];
/* A persisted */
byte aJ[NS]; byte aV[NS];
/* A volatile */
byte aPc=0; byte aS=0; byte aMem=0; byte aGen[NS]; /* aGen: ghost, counts RAKA generations */
/* B persisted */
byte bJ[NS]; byte bV[NS]; byte bNext=0;
/* B volatile */
byte bPc=0; byte bS=0; byte bM=0; bool bUp=true; bool aUp=true;
/* B token: session object RAKB, token objects per session */
bool rakb[NS]; byte pend[NS]; byte live[NS];
byte crashes=CR; byte dups=DUP;
#define M2(s,v) ((v==0 && m2v0[s]) || (v==1 && m2v1[s]))
#define M3(s,v) ((v==0 && m3v0[s]) || (v==1 && m3v1[s]))
#define LIVE (live[0]+live[1])
inline inv() {
  assert(LIVE<=1);                                   /* I1 one live object */
  assert(!(m2v0[0]&&m2v1[0]) && !(m2v0[1]&&m2v1[1])); /* I3 one M2 per session */
  assert(!(aJ[0]==ABRT && bJ[0]==INST) && !(aJ[1]==ABRT && bJ[1]==INST)); /* I5 */
  assert(!(aJ[0]==DONE && bJ[0]!=INST) && !(aJ[1]==DONE && bJ[1]!=INST)); /* I2 */
  assert(!(aJ[0]==DONE && live[0]==0) && !(aJ[1]==DONE && live[1]==0));
}
active proctype sys() {
  byte s; byte v;
  do
  /* ---------------- B ---------------- */
  :: atomic { bUp && bPc==0 && bNext<NS && (bNext==0 || bJ[bNext-1]==ABRT) -> s=bNext; bNext++; rakb[s]=true; bJ[s]=OFFERED; bS=s; bPc=1; inv() }
  :: atomic { bUp && bPc==1 -> m1[bS]=true; bPc=0; inv() }
     /* lost M1 release after crash is handled by recovery (abort) */
  :: atomic { bUp && bPc==0 -> s=0; if :: s=0 :: s=1 fi; if :: v=0 :: v=1 fi;
       if
       :: M2(s,v) && bJ[s]==OFFERED && rakb[s] -> bS=s; bM=v; bJ[s]=UNWRAP; bV[s]=v; bPc=2
#ifdef MUT_NO_DEDUP
       :: M2(s,v) && bJ[s]==INST && rakb[s] && dups>0 -> dups--; bS=s; bM=v; bPc=2
#endif
       :: M2(s,v) && bJ[s]==INST && bV[s]==v && dups>0 && !M3(s,v) -> dups--; if :: v==0 -> m3v0[s]=true :: else -> m3v1[s]=true fi
       :: else -> skip
       fi; inv() }
#ifdef WRAPPED
  :: atomic { bUp && bPc==2 -> bPc=3; inv() }                        /* C_UnwrapKey to a session object, wrapped under the domain key */
#else
  :: atomic { bUp && bPc==2 -> pend[bS]++; bPc=3; inv() }            /* C_UnwrapKey, CKA_TOKEN, label pending:sid */
#endif
#ifdef MUT_M3_FIRST
  :: atomic { bUp && bPc==3 -> if :: bM==0 -> m3v0[bS]=true :: else -> m3v1[bS]=true fi; bPc=33; inv() }
#ifdef WRAPPED
  :: atomic { bUp && bPc==33 -> bJ[bS]=INST; live[bS]++; bPc=5; inv() }
#else
  :: atomic { bUp && bPc==33 -> bJ[bS]=INST; bPc=4; inv() }
#endif
#else
#if defined(WRAPPED) && defined(MUT_SPLIT_COMMIT)
  :: atomic { bUp && bPc==3 -> bJ[bS]=INST; bPc=34; inv() }          /* the journal first, the key's row in a transaction of its own */
  :: atomic { bUp && bPc==34 -> live[bS]++; bPc=5; inv() }
#elif defined(WRAPPED)
  :: atomic { bUp && bPc==3 -> bJ[bS]=INST; live[bS]++; bPc=5; inv() } /* one transaction = commit point */
#else
  :: atomic { bUp && bPc==3 -> bJ[bS]=INST; bPc=4; inv() }           /* journal commit = commit point */
#endif
#endif
  :: atomic { bUp && bPc==4 -> live[bS]=live[bS]+pend[bS]; pend[bS]=0; bPc=5; inv() } /* relabel live */
  :: atomic { bUp && bPc==5 -> 
#ifndef MUT_NO_DEDUP
       rakb[bS]=false;
#endif
       bPc=6; inv() }
  :: atomic { bUp && bPc==6 -> if :: bM==0 -> m3v0[bS]=true :: else -> m3v1[bS]=true fi; bPc=0; inv() }
  /* B timeout: abort an offer (only before UNWRAP) */
  :: atomic { bUp && bPc==0 && bNext>0 && bJ[bNext-1]==OFFERED && dups>0 -> dups--; s=bNext-1; bJ[s]=ABRT; rakb[s]=false; mx[s]=true; inv() }
  /* B crash + recovery */
  :: atomic { bUp && crashes>0 -> crashes--; bUp=false; bPc=0; 
#ifndef MUT_RAKB_TOKEN
       rakb[0]=false; rakb[1]=false;
#endif
       inv() }
  :: atomic { !bUp -> bUp=true; s=0;
       do :: s<NS ->
          if
          :: bJ[s]==OFFERED -> bJ[s]=ABRT; mx[s]=true
          :: bJ[s]==UNWRAP -> 
#ifndef MUT_NO_SWEEP
               pend[s]=0;
#endif
               bJ[s]=ABRT; mx[s]=true
          :: bJ[s]==INST -> live[s]=live[s]+pend[s]; pend[s]=0; if :: bV[s]==0 -> m3v0[s]=true :: else -> m3v1[s]=true fi
          :: bJ[s]==ABRT -> mx[s]=true
          :: else -> skip
          fi; s++
       :: else -> break od; inv() }
  /* ---------------- A ---------------- */
  :: atomic { aUp && aPc==0 -> if :: s=0 :: s=1 fi;
       if :: m1[s] && aJ[s]==NONE -> aS=s; aMem=(aGen[s]>0 -> 1 : 0); aGen[s]=1; aPc=1   /* RAKA gen+derive+wrap+sign; a re-run gives different bytes */
       :: else -> skip fi; inv() }
#ifdef MUT_RELEASE_FIRST
  :: atomic { aUp && aPc==1 -> if :: aMem==0 -> m2v0[aS]=true :: else -> m2v1[aS]=true fi; aPc=2; inv() }
  :: atomic { aUp && aPc==2 -> aJ[aS]=SENT; aV[aS]=aMem; aPc=0; inv() }
#else
  :: atomic { aUp && aPc==1 -> aJ[aS]=SENT; aV[aS]=aMem; aPc=2; inv() }
  :: atomic { aUp && aPc==2 -> if :: aMem==0 -> m2v0[aS]=true :: else -> m2v1[aS]=true fi; aPc=0; inv() }
#endif
     /* resend persisted bytes */
  :: atomic { aUp && aPc==0 -> if :: s=0 :: s=1 fi; if :: aJ[s]==SENT && !M2(s,aV[s]) -> if :: aV[s]==0 -> m2v0[s]=true :: else -> m2v1[s]=true fi :: else -> skip fi; inv() }
  :: atomic { aUp && aPc==0 -> if :: s=0 :: s=1 fi; if :: v=0 :: v=1 fi;
       if :: M3(s,v) && aJ[s]==SENT -> assert(v==aV[s]); aJ[s]=DONE
          :: mx[s] && aJ[s]==SENT -> aJ[s]=ABRT
          :: mx[s] && aJ[s]==NONE -> aJ[s]=ABRT
          :: else -> skip fi; inv() }
#ifdef MUT_A_ABORT
  :: atomic { aUp && aPc==0 -> if :: s=0 :: s=1 fi; if :: aJ[s]==SENT && dups>0 -> dups--; aJ[s]=ABRT :: else -> skip fi; inv() }
#endif
  :: atomic { aUp && crashes>0 -> crashes--; aUp=false; aPc=0; inv() }
  :: atomic { !aUp -> aUp=true; inv() }
  /* budget not used */
  :: atomic { dups>0 -> dups-- }
  :: atomic { crashes>0 -> crashes-- }
  /* ---------------- quiescence: nothing useful left and no budget ---------------- */
  :: atomic { aUp && bUp && aPc==0 && bPc==0 && crashes==0 && dups==0 &&
       /* no useful step */
       !(bNext<NS && (bNext==0 || bJ[bNext-1]==ABRT)) &&
       !(m1[0] && aJ[0]==NONE) && !(m1[1] && aJ[1]==NONE) &&
       !(aJ[0]==SENT) && !(aJ[1]==SENT) && !(mx[0] && aJ[0]==NONE) && !(mx[1] && aJ[1]==NONE) &&
       !(bJ[0]==OFFERED) && !(bJ[1]==OFFERED) ->
       assert(pend[0]+pend[1]==0);                       /* I4a no orphan token object */
       assert(!rakb[0] && !rakb[1]);                     /* I4b no ephemeral left */
       assert((aJ[0]==DONE || aJ[1]==DONE) == (LIVE==1)); /* I4c both agree */
       goto quiet }
  od;
quiet: skip
}
#ifdef LIVE_LTL
ltl quiesce { <> sys@quiet }
#endif
