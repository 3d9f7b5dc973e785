#include "raven/core/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "core/descriptor.h"
#include "raven/core/error.h"

namespace raven {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> handle{EVP_MD_CTX_new(),
                                                                 &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  RAVEN_CHECK(context_->handle != nullptr &&
                  EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) == 1,
              "this libcrypto has no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  RAVEN_CHECK(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1,
              "SHA-256 was already finished");
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  RAVEN_CHECK(EVP_DigestFinal_ex(context_->handle.get(), digest.data(), &size) == 1,
              "SHA-256 was already finished");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& file) {
  const Descriptor in = open_regular_file(file);
  Sha256 hash;
  std::vector<char> block(1 << 20);
  while (const auto count = read_some(in.value(), file, block)) hash.update({block.data(), count});
  return hash.hex();
}

}  // namespace raven
