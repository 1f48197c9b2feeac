#include "own_iv.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "module.h"

namespace keyferry_shim {
namespace {

// The IVs that go before the ciphertexts of the encryptions under way, by session.
std::mutex fronts_mutex;
std::map<CK_SESSION_HANDLE, GcmIv> fronts;

}  // namespace

void make_iv(CK_SESSION_HANDLE session, CK_MECHANISM_PTR& given, Action how, OwnIv& own) {
  auto& [mechanism, gcm, iv] = own;
  iv.fill(0);
  if (how != Action::kIvZero && getrandom(iv.data(), iv.size(), 0) != static_cast<ssize_t>(iv.size())) _exit(97);
  mechanism = *given;
  memcpy(&gcm, given->pParameter, sizeof gcm);
  if (how == Action::kIvFront) {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    fronts[session] = iv;
  } else if (gcm.pIv != nullptr && gcm.ulIvLen >= iv.size()) {
    memcpy(gcm.pIv, iv.data(), iv.size());
  }
  gcm.pIv = iv.data();
  gcm.ulIvLen = iv.size();
  gcm.ulIvBits = iv.size() * 8;
  mechanism.pParameter = &gcm;
  given = &mechanism;
}

CK_RV encrypt_behind_iv(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_length, CK_BYTE_PTR out,
                        CK_ULONG_PTR length) {
  GcmIv iv;
  {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    const auto found = fronts.find(session);
    if (found == fronts.end()) return module_functions->C_Encrypt(session, data, data_length, out, length);
    iv = found->second;
  }
  const bool has_room = out != nullptr && *length > iv.size();
  CK_ULONG behind = has_room ? *length - iv.size() : 0;
  const CK_RV rv = module_functions->C_Encrypt(session, data, data_length, has_room ? out + iv.size() : nullptr, &behind);
  *length = behind + iv.size();
  if (rv == CKR_OK && has_room) memcpy(out, iv.data(), iv.size());
  if (rv != CKR_BUFFER_TOO_SMALL && (rv != CKR_OK || has_room)) {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    fronts.erase(session);
  }
  return rv == CKR_OK && !has_room && out != nullptr ? CKR_BUFFER_TOO_SMALL : rv;
}

}  // namespace keyferry_shim
