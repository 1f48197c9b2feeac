// What is found and changed among the arguments of a call, whatever its function is.
#pragma once

#include <string.h>

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <vector>

#include "rules.h"

namespace keyferry_shim {

// The mechanism among a call's arguments, if there is one.
inline CK_MECHANISM_PTR* mechanism_in() { return nullptr; }
template <typename First, typename... Rest>
CK_MECHANISM_PTR* mechanism_in(First& first, Rest&... rest) {
  if constexpr (std::is_same_v<First, CK_MECHANISM_PTR>) {
    return &first;
  } else {
    return mechanism_in(rest...);
  }
}

// A template with attributes that a call did not ask for, in memory of its own.
class TamperedTemplate {
 public:
  void change(CK_ATTRIBUTE_PTR& attributes, CK_ULONG& count, const std::vector<AttributeChange>& changes) {
    if (attributes != nullptr) attributes_.assign(attributes, attributes + count);
    for (const AttributeChange& change : changes) {
      const bool was_given =
          std::erase_if(attributes_, [&](const CK_ATTRIBUTE& given) { return given.type == change.type; }) > 0;
      // C_SetAttributeValue and C_CopyObject are for what is asked for, and nothing else.
      if (change.action == Action::kForget || (!adds_ && !was_given)) continue;
      CK_BBOOL* value = change.action == Action::kTrue ? &true_ : &false_;
      attributes_.push_back({change.type, value, sizeof *value});
    }
    attributes = attributes_.data();
    count = attributes_.size();
  }
  explicit TamperedTemplate(const char* function)
      : adds_(strcmp(function, "C_SetAttributeValue") != 0 && strcmp(function, "C_CopyObject") != 0) {}

 private:
  bool adds_;
  CK_BBOOL true_ = CK_TRUE;
  CK_BBOOL false_ = CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes_;
};

// Changes the last template among a call's arguments: of a pair, that of the private half.
template <size_t kAt, typename Arguments>
void change_template(Arguments& arguments, TamperedTemplate& tampered, const std::vector<AttributeChange>& changes) {
  if constexpr (kAt > 0) {
    using First = std::tuple_element_t<kAt - 1, Arguments>;
    using Second = std::tuple_element_t<kAt, Arguments>;
    if constexpr (std::is_same_v<First, CK_ATTRIBUTE_PTR> && std::is_same_v<Second, CK_ULONG>) {
      tampered.change(std::get<kAt - 1>(arguments), std::get<kAt>(arguments), changes);
    } else {
      change_template<kAt - 1>(arguments, tampered, changes);
    }
  }
}

// What a module says to the last template among a call's arguments that has what it forbids, or lacks what it needs.
template <size_t kAt, typename Arguments>
CK_RV refusal_of(const Arguments& arguments, const std::vector<AttributeChange>& refusals) {
  if constexpr (kAt > 0) {
    using First = std::tuple_element_t<kAt - 1, Arguments>;
    using Second = std::tuple_element_t<kAt, Arguments>;
    if constexpr (std::is_same_v<First, CK_ATTRIBUTE_PTR> && std::is_same_v<Second, CK_ULONG>) {
      const CK_ATTRIBUTE* given = std::get<kAt - 1>(arguments);
      const CK_ATTRIBUTE* end = given + std::get<kAt>(arguments);
      for (const AttributeChange& refusal : refusals) {
        const bool has =
            std::any_of(given, end, [&](const CK_ATTRIBUTE& attribute) { return attribute.type == refusal.type; });
        if (has && refusal.action == Action::kForbid) return CKR_TEMPLATE_INCONSISTENT;
        if (!has && refusal.action == Action::kNeed) return CKR_TEMPLATE_INCOMPLETE;
      }
    } else {
      return refusal_of<kAt - 1>(arguments, refusals);
    }
  }
  return CKR_OK;
}

// Flips a bit of what a function has put out.
template <typename Function, typename Arguments>
void flip_output(const char* name, Arguments& arguments) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (std::is_same_v<Function, CK_C_GetAttributeValue>) {
    CK_ATTRIBUTE_PTR attribute = std::get<2>(arguments);
    const bool has_value = attribute->pValue != nullptr && attribute->ulValueLen != CK_UNAVAILABLE_INFORMATION;
    if (has_value && attribute->ulValueLen > 0) {
      static_cast<CK_BYTE_PTR>(attribute->pValue)[attribute->ulValueLen - 1] ^= 1;
    }
  } else if constexpr (std::is_same_v<Function, CK_C_GenerateRandom>) {
    if (strcmp(name, "C_GenerateRandom") == 0 && std::get<2>(arguments) > 0) std::get<1>(arguments)[0] ^= 1;
  } else if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      CK_BYTE_PTR out = std::get<kCount - 2>(arguments);
      CK_ULONG_PTR length = std::get<kCount - 1>(arguments);
      if (out != nullptr && *length > 0) out[*length - 1] ^= 1;
    }
  }
}

// Whether a call has less room for its output than `octets`; tells it then how much it takes.
template <typename Arguments>
bool lacks_room(Arguments& arguments, CK_ULONG octets) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      CK_ULONG_PTR length = std::get<kCount - 1>(arguments);
      if (*length >= octets) return false;
      *length = octets;
      return true;
    }
  }
  return false;
}

// Gives a call another place for its output.
template <typename Arguments>
void set_output(Arguments& arguments, CK_BYTE_PTR octets, CK_ULONG_PTR length) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      std::get<kCount - 2>(arguments) = octets;
      std::get<kCount - 1>(arguments) = length;
    }
  }
}

// Flips a bit of what a function is given, where what it makes cannot be touched.
template <typename Function, typename Arguments>
void flip_input(Arguments& arguments, std::vector<CK_BYTE>& copy) {
  const auto replace = [&copy](CK_BYTE_PTR& octets, CK_ULONG length) {
    if (octets == nullptr || length == 0) return;
    copy.assign(octets, octets + length);
    copy[length - 1] ^= 1;
    octets = copy.data();
  };
  if constexpr (std::is_same_v<Function, CK_C_UnwrapKey>) replace(std::get<3>(arguments), std::get<4>(arguments));
  if constexpr (std::is_same_v<Function, CK_C_Verify>) replace(std::get<3>(arguments), std::get<4>(arguments));
}

}  // namespace keyferry_shim
