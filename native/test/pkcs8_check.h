// PKCS#8 that is written from its parts, against the code that reads it; and a job that makes a pair and reads it.
#pragma once

#include <cstdint>
#include <vector>

namespace keyferry {

// Writes `count` keys of changing parts into memory of every length, and ends the process where something is written that does
// not read as what it was made from, or beyond its room.
void check_pkcs8_writer(uint32_t count);

// Makes a P-256 pair that is not sensitive, reads its private half and reveals it.
std::vector<uint8_t> readable_pair_job();

}  // namespace keyferry
