// A mechanism that is not quite what a call was given.
#pragma once

#include <vector>

#include "../../src/cryptoki.h"

namespace keyferry_shim {

// A mechanism whose parameter's data differs by one bit from another's, in memory of its own.
class TamperedMechanism {
 public:
  explicit TamperedMechanism(const CK_MECHANISM& original);
  CK_MECHANISM_PTR get() { return &mechanism_; }

 private:
  template <typename T>
  T* as() {
    return parameter_.size() == sizeof(T) ? reinterpret_cast<T*>(parameter_.data()) : nullptr;
  }
  void replace(CK_BYTE_PTR& octets, CK_ULONG length);

  CK_MECHANISM mechanism_;
  std::vector<CK_BYTE> parameter_;
  std::vector<CK_BYTE> data_;
  std::vector<keyferry::Sp800108DataParam> data_params_;
};

}  // namespace keyferry_shim
