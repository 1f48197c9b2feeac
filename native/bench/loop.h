// What the jobs of the C loop share.
#ifndef KEYFERRY_BENCH_LOOP_H
#define KEYFERRY_BENCH_LOOP_H

#include <vector>

#include "../src/cryptoki.h"

extern CK_FUNCTION_LIST_PTR p11;
extern CK_BBOOL yes;
extern CK_BBOOL no;

// Ends the program where a call has failed.
void must(const char* what, CK_RV rv);

// One job's state, made once per thread.
struct Loop {
  CK_SESSION_HANDLE session = 0;
  CK_OBJECT_HANDLE key = 0;
  CK_OBJECT_HANDLE other = 0;
  CK_BYTE nonce[16] = {1};
  CK_BYTE label[32] = {2};
  CK_BYTE iv[12] = {3};
  CK_BYTE text[32] = {4};
  CK_BYTE digest[48] = {5};
  CK_BYTE blob[512];
  CK_ULONG blob_bytes = sizeof blob;
  CK_BYTE point[97];
  CK_ULONG kwp = 0x210b;
};

struct JobKind {
  const char* name;
  void (*prepare)(Loop&);
  void (*run)(Loop&);
  unsigned at_once;  // jobs between two looks at the clock
};

// What a region does between messages: message keys, signatures, agreement, wrapping.
extern const std::vector<JobKind> kRegionJobs;
// What callers do with their own keys.
extern const std::vector<JobKind> kKeyJobs;

#endif  // KEYFERRY_BENCH_LOOP_H
