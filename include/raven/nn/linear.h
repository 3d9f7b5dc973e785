// Linear layers whose bias is part of the matrix product, and copies of their weights for a while:
// in reduced precision, or laid out for few rows.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace raven::nn {

/// torch::nn::Linear, but for its forward pass: that one adds the bias in a pass of its own over
/// all outputs unless the input has two dimensions, this one unless the input lies scattered. Same
/// keys: weight (out, in), bias (out).
class LinearImpl : public torch::nn::LinearImpl {
 public:
  using torch::nn::LinearImpl::LinearImpl;

  /// (..., in) -> (..., out).
  torch::Tensor forward(const torch::Tensor& x);

 private:
  friend class WorkingWeights;
  friend class PackedWeights;
  torch::Tensor working_weight_, working_bias_;
  torch::Tensor packed_;  // panels of weights, then the bias; or undefined
};
TORCH_MODULE(Linear);

/// While it lives, and when autocast is on, the linear layers below a module compute with copies
/// of their weights in autocast's type that were all made at once. Autocast itself casts each
/// weight where it is used and each gradient where it arises: two launches a tensor, which on a GPU
/// take longer than the copying. Same values, bit for bit. In training, frozen layers have no such
/// copy. Throws InternalError where a layer has copies already.
class WorkingWeights {
 public:
  explicit WorkingWeights(const torch::nn::Module& module);
  ~WorkingWeights();
  WorkingWeights(const WorkingWeights&) = delete;
  WorkingWeights& operator=(const WorkingWeights&) = delete;

 private:
  std::vector<LinearImpl*> layers_;  // the module must outlive this
};

/// While it lives, and where no gradient is kept, the linear layers below a module multiply at most
/// 512 rows of float32 inputs on a CPU with second copies of their weights, laid out for that: a
/// search's step over some dozens of hypotheses takes two thirds of the time that it takes with the
/// library's product. Each of so few rows comes out the same whatever rows it is multiplied with.
/// Weights must not change meanwhile. For layers on other devices or of other types nothing is
/// done. Throws InternalError where a layer has copies already.
class PackedWeights {
 public:
  explicit PackedWeights(const torch::nn::Module& module);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

 private:
  std::vector<LinearImpl*> layers_;  // the module must outlive this
};

}  // namespace raven::nn
