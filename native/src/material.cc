#include "material.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "ber.h"
#include "openssl.h"

namespace keyferry {
namespace {

// PKCS#8 of RSA-4096 has 2,400 octets; KMS takes 6,144 when they are wrapped.
constexpr size_t kMaterialBytesMax = 8192;
constexpr size_t kAesKeyBytes = 32;
constexpr char kPem[] = "-----BEGIN";
constexpr uint8_t kRsaEncryption[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};

std::string system_reason() {
  char text[128];
  return strerror_r(errno, text, sizeof text);
}

Material refuse(std::string reason) {
  Material material;
  material.refusal = std::move(reason);
  return material;
}

Material read_from(int descriptor) {
  Material material;
  // One octet more than there may be tells that there are more.
  material.octets = SecretBytes(kMaterialBytesMax + 1);
  if (!material.octets.allocated()) return refuse("no memory");
  size_t length = 0;
  while (length < material.octets.capacity()) {
    const ssize_t got = read(descriptor, material.octets.data() + length, material.octets.capacity() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse(system_reason());
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  if (length == 0) return refuse("it is empty");
  if (length > kMaterialBytesMax) return refuse("it is longer than " + std::to_string(kMaterialBytesMax) + " octets");
  material.octets.resize(length);
  return material;
}

size_t bits_of(Span integer) {
  size_t at = 0;
  while (at < integer.length && integer.octets[at] == 0) ++at;
  if (at == integer.length) return 0;
  size_t bits = (integer.length - at) * 8;
  for (uint8_t first = integer.octets[at]; (first & 0x80) == 0; first = static_cast<uint8_t>(first << 1)) --bits;
  return bits;
}

// RFC 8017 A.1.2: version, modulus; version 1 has more than two primes.
void describe_rsa(Span private_key, MaterialFacts& facts) {
  Walker outer(private_key);
  Element sequence, version, modulus;
  if (!outer.expect(kSequence, sequence)) return;
  Walker walker(sequence.content);
  if (!walker.expect(kInteger, version) || !walker.expect(kInteger, modulus)) return;
  facts.modulus_bits = bits_of(modulus.content);
  facts.more_primes = version.content.length == 1 && version.content.octets[0] == 1;
}

// Behind the version of PKCS#8: the algorithm and the key.
bool describe_pkcs8(Walker& walker, MaterialFacts& facts) {
  Element algorithm, private_key, oid, parameters;
  if (!walker.expect(kSequence, algorithm) || !walker.expect(kOctetString, private_key)) return false;
  Walker identifier(algorithm.content);
  if (!identifier.expect(kObjectIdentifier, oid)) return false;
  facts.form = "pkcs8";
  facts.algorithm = oid.whole;
  if (!identifier.done() && identifier.next(parameters)) facts.parameters = parameters.whole;
  const bool is_rsa =
      oid.whole.length == sizeof kRsaEncryption && memcmp(oid.whole.octets, kRsaEncryption, sizeof kRsaEncryption) == 0;
  if (is_rsa) describe_rsa(private_key.content, facts);
  return true;
}

}  // namespace

Material read_material(const std::string& path) {
  if (path.empty()) return read_from(STDIN_FILENO);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return refuse(system_reason());
  struct stat about;
  Material material = fstat(descriptor, &about) != 0 ? refuse(system_reason())
                      : S_ISDIR(about.st_mode)       ? refuse("it is a directory")
                                                     : read_from(descriptor);
  close(descriptor);
  return material;
}

MaterialFacts describe_material(Span material) {
  MaterialFacts facts;
  if (material.length > sizeof kPem && memcmp(material.octets, kPem, sizeof kPem - 1) == 0) {
    facts.form = "pem";
    return facts;
  }
  Walker outer(material);
  Element sequence, first;
  if (!outer.expect(kSequence, sequence)) return facts;
  Walker walker(sequence.content);
  if (walker.expect(kInteger, first)) {
    if (walker.next_is(kSequence)) {
      if (!describe_pkcs8(walker, facts)) return MaterialFacts{};
    } else if (walker.next_is(kInteger)) {
      facts.form = "pkcs1";
    } else if (walker.next_is(kOctetString)) {
      facts.form = "sec1";
    }
  } else if (walker.expect(kSequence, first)) {
    if (walker.next_is(kOctetString)) facts.form = "encrypted-pkcs8";
    if (walker.next_is(kBitString)) facts.form = "public-key";
  }
  facts.trailing = !outer.done();
  return facts;
}

Wrapped wrap_material(Span material, Span public_key, DigestKind hash, bool aes_key) {
  Wrapped wrapped;
  if (material.length == 0) {
    wrapped.refusal = "the material was forgotten";
    return wrapped;
  }
  const OpenSsl& openssl = OpenSsl::of_this_process();
  if (!openssl.missing().empty()) {
    wrapped.refusal = "this Node has no " + openssl.missing();
    return wrapped;
  }
  if (!aes_key) {
    if (!openssl.oaep_encrypt(hash, public_key, material, wrapped.octets)) wrapped.refusal = "RSAES-OAEP refused it";
    return wrapped;
  }
  SecretBytes key(kAesKeyBytes);
  if (!key.allocated() || getrandom(key.data(), kAesKeyBytes, 0) != static_cast<ssize_t>(kAesKeyBytes)) {
    wrapped.refusal = "no randomness from the system";
    return wrapped;
  }
  std::vector<uint8_t> behind;
  if (!openssl.oaep_encrypt(hash, public_key, Span{key.data(), kAesKeyBytes}, wrapped.octets)) {
    wrapped.refusal = "RSAES-OAEP refused the AES key";
  } else if (!openssl.aes_key_wrap_pad(key.data(), material, behind)) {
    wrapped.refusal = "AES key wrap refused it";
  } else {
    wrapped.octets.insert(wrapped.octets.end(), behind.begin(), behind.end());
  }
  return wrapped;
}

}  // namespace keyferry
