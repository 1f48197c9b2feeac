#include "pin_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <utility>

namespace keyferry {
namespace {

constexpr size_t kPinBytesMax = 512;
constexpr size_t kGeneratedPinBytes = 32;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

Pin refuse(std::string reason) {
  Pin pin;
  pin.refusal = std::move(reason);
  return pin;
}

std::string system_reason() {
  char text[128];
  return strerror_r(errno, text, sizeof text);
}

// Reads until the end, or until a newline where `line` is set.
bool read_into(int descriptor, SecretBytes& octets, bool line) {
  size_t length = 0;
  while (length < octets.capacity()) {
    const ssize_t got = read(descriptor, octets.data() + length, line ? 1 : octets.capacity() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    length += static_cast<size_t>(got);
    if (line && octets.data()[length - 1] == '\n') break;
  }
  octets.resize(length);
  return true;
}

void strip_newline(SecretBytes& octets) {
  size_t length = octets.size();
  if (length > 0 && octets.data()[length - 1] == '\n') --length;
  if (length > 0 && octets.data()[length - 1] == '\r') --length;
  octets.resize(length);
}

Pin finish(SecretBytes octets) {
  strip_newline(octets);
  if (octets.size() == 0) return refuse("it is empty");
  if (octets.size() >= kPinBytesMax) return refuse("it is longer than a PIN can be");
  Pin pin;
  pin.octets = std::move(octets);
  return pin;
}

Pin from_file(const std::string& path) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.open()) return refuse(system_reason());
  struct stat about;
  if (fstat(file.descriptor(), &about) != 0) return refuse(system_reason());
  if (!S_ISREG(about.st_mode)) return refuse("it is not a regular file");
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return refuse("others than its owner may use it: its mode must be 0600 or 0400");
  }
  if (about.st_uid != geteuid() && about.st_uid != 0) return refuse("it belongs to another user");
  SecretBytes octets(kPinBytesMax);
  if (!octets.allocated()) return refuse("no memory");
  if (!read_into(file.descriptor(), octets, false)) return refuse(system_reason());
  return finish(std::move(octets));
}

Pin from_environment(const std::string& name) {
  const char* value = getenv(name.c_str());
  if (value == nullptr) return refuse("the variable is not set");
  const size_t length = strlen(value);
  if (length >= kPinBytesMax) return refuse("it is longer than a PIN can be");
  SecretBytes octets(kPinBytesMax);
  if (!octets.allocated()) return refuse("no memory");
  memcpy(octets.data(), value, length);
  octets.resize(length);
  return finish(std::move(octets));
}

Pin from_prompt(const std::string& label) {
  const File terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal.open()) return refuse("there is no terminal to ask on");
  struct termios before;
  if (tcgetattr(terminal.descriptor(), &before) != 0) return refuse(system_reason());
  struct termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  silent.c_lflag |= ICANON;
  const std::string question = label + ": ";
  if (write(terminal.descriptor(), question.data(), question.size()) < 0) return refuse(system_reason());
  if (tcsetattr(terminal.descriptor(), TCSAFLUSH, &silent) != 0) return refuse(system_reason());
  SecretBytes octets(kPinBytesMax);
  const bool read_one = octets.allocated() && read_into(terminal.descriptor(), octets, true);
  tcsetattr(terminal.descriptor(), TCSAFLUSH, &before);
  if (write(terminal.descriptor(), "\n", 1) < 0 || !read_one) return refuse("the terminal could not be read");
  return finish(std::move(octets));
}

bool random_octets(uint8_t* octets, size_t length) {
  size_t filled = 0;
  while (filled < length) {
    const ssize_t got = getrandom(octets + filled, length - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    filled += static_cast<size_t>(got);
  }
  return true;
}

// Letters of both cases and digits, at least one of each: some tokens insist on classes of characters.
bool random_pin(SecretBytes& pin) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr size_t kLetters = sizeof kAlphabet - 1;
  constexpr unsigned kFairMax = 256 / kLetters * kLetters;
  for (;;) {
    bool upper = false;
    bool lower = false;
    bool digit = false;
    for (size_t at = 0; at < kGeneratedPinBytes;) {
      uint8_t octet = 0;
      if (!random_octets(&octet, 1)) return false;
      if (octet >= kFairMax) continue;
      const char letter = kAlphabet[octet % kLetters];
      wipe(&octet, 1);
      upper = upper || (letter >= 'A' && letter <= 'Z');
      lower = lower || (letter >= 'a' && letter <= 'z');
      digit = digit || (letter >= '0' && letter <= '9');
      pin.data()[at++] = static_cast<uint8_t>(letter);
    }
    pin.resize(kGeneratedPinBytes);
    if (upper && lower && digit) return true;
  }
}

}  // namespace

Pin read_pin(const PinSource& source) {
  if (source.kind == "file") return from_file(source.where);
  if (source.kind == "environment") return from_environment(source.where);
  if (source.kind == "prompt") return from_prompt(source.where);
  if (source.kind == "empty") {
    Pin pin;
    pin.octets = SecretBytes(1);
    if (!pin.octets.allocated()) return refuse("no memory");
    return pin;
  }
  return refuse("there is no such kind of source");
}

std::string generate_pin_file(const std::string& path) {
  SecretBytes pin(kGeneratedPinBytes + 1);
  if (!pin.allocated() || !random_pin(pin)) return "no randomness from the system";
  pin.resize(kGeneratedPinBytes + 1);
  pin.data()[kGeneratedPinBytes] = '\n';
  const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.open()) return system_reason();
  if (write(file.descriptor(), pin.data(), pin.size()) != static_cast<ssize_t>(pin.size()) ||
      fsync(file.descriptor()) != 0) {
    const std::string reason = system_reason();
    unlink(path.c_str());
    return reason;
  }
  return "";
}

}  // namespace keyferry
