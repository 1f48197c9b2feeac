// NSS softoken in FIPS mode: the same library hands out another list of functions under another name, and loaders of PKCS#11
// modules ask for C_GetFunctionList only. Linked with libsoftokn3.
extern "C" unsigned long FC_GetFunctionList(void** list);

extern "C" __attribute__((visibility("default"))) unsigned long C_GetFunctionList(void** list) {
  return FC_GetFunctionList(list);
}
