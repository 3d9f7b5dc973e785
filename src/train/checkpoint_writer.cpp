#include "raven/train/checkpoint_writer.h"

#include <chrono>
#include <exception>
#include <utility>

namespace raven::train {
namespace {

bool is_alike(const torch::Tensor& copy, const torch::Tensor& tensor) {
  return copy.sizes() == tensor.sizes() && copy.scalar_type() == tensor.scalar_type() &&
         copy.strides() == tensor.strides();
}

torch::Tensor memory_for(const torch::Tensor& tensor) {
  return torch::empty_strided(
      tensor.sizes(), tensor.strides(),
      torch::TensorOptions(tensor.scalar_type()).pinned_memory(tensor.is_cuda()));
}

}  // namespace

void Snapshot::take(const nn::StateDict& tensors) {
  const torch::NoGradGuard no_grad;
  copies_.resize(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    auto& [copy_name, copy] = copies_[i];
    copy_name = name;
    if (!copy.defined() || !is_alike(copy, tensor)) copy = memory_for(tensor);
    if (!tensor.is_meta()) copy.copy_(tensor);
  }
}

void CheckpointWriter::write(artifacts::TrainState state, const nn::StateDict& model,
                             const nn::StateDict& optimizer, Calls calls) {
  const auto begin = std::chrono::steady_clock::now();
  const auto waited_s = [begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::exception_ptr earlier;  // told when the other ranks have been listened to
  try {
    wait();
  } catch (const std::exception&) {
    earlier = std::current_exception();
  }
  const bool copies_optimizer = in_background_ || calls.fetch;
  if (copies_optimizer) optimizer_.take(optimizer);
  if (calls.fetch) calls.fetch(optimizer_.tensors());
  if (earlier) std::rethrow_exception(earlier);
  if (calls.ready) calls.ready();
  if (in_background_) {
    model_.take(model);
    writing_ = std::async(std::launch::async, [this, state = std::move(state), waited = waited_s(),
                                               written = std::move(calls.written)] {
      folder_.save(state, model_.tensors(), optimizer_.tensors());
      if (written) written(waited);
    });
    return;
  }
  folder_.save(state, model, copies_optimizer ? optimizer_.tensors() : optimizer);
  optimizer_.release();
  if (calls.written) calls.written(waited_s());
}

void CheckpointWriter::check() {
  if (writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    writing_.get();
}

void CheckpointWriter::wait() {
  if (writing_.valid()) writing_.get();
}

}  // namespace raven::train
