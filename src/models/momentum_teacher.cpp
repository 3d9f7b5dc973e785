#include "raven/models/momentum_teacher.h"

#include <utility>
#include <vector>

#include "raven/core/error.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/state_dict.h"
#include "raven/nn/transformer.h"

namespace raven::models {
namespace {

struct Pairs {
  std::vector<torch::Tensor> teacher, student;
};

template <class Items>
Pairs pair_by_name(const Items& teacher, const Items& student) {
  RAVEN_CHECK(teacher.size() == student.size(),
              "a teacher of {} tensors cannot follow a student of {}", teacher.size(),
              student.size());
  Pairs pairs;
  for (std::size_t i = 0; i < teacher.size(); ++i) {
    const auto& [teacher_name, teacher_tensor] = teacher[i];
    const auto& [student_name, student_tensor] = student[i];
    RAVEN_CHECK(teacher_name == student_name && teacher_tensor.sizes() == student_tensor.sizes(),
                "teacher's {} cannot follow student's {}", teacher_name, student_name);
    pairs.teacher.push_back(teacher_tensor);
    pairs.student.push_back(student_tensor);
  }
  return pairs;
}

template <class Items>
nn::StateDict by_name(const Items& items) {
  nn::StateDict named;
  for (const auto& item : items) named.emplace_back(item.key(), item.value());
  return named;
}

/// teacher <- momentum * teacher + (1 - momentum) * student, but where `bad`.
void move(const Pairs& pairs, const torch::Tensor& momentum, const torch::Tensor& bad) {
  torch::NoGradGuard no_grad;
  if (momentum.is_cpu()) {
    if (bad.defined() && bad.item<float>() != 0) return;
    at::_foreach_lerp_(pairs.teacher, pairs.student, 1 - momentum.item<double>());
    return;
  }
  // The host knows neither: a share of 0 leaves the teacher's bits as they are.
  auto share = 1 - momentum;  // float64: momentum is near 1
  if (bad.defined()) share *= 1 - bad;
  const auto difference = at::_foreach_sub(pairs.student, pairs.teacher);
  at::_foreach_mul_(difference, share.to(torch::kFloat32));
  at::_foreach_add_(pairs.teacher, difference);
}

void take(const Pairs& pairs, const torch::Tensor& bad) {
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < pairs.teacher.size(); ++i) {
    const auto& own = pairs.teacher[i];
    own.copy_(bad.defined() ? torch::where(bad > 0, own, pairs.student[i]) : pairs.student[i]);
  }
}

}  // namespace

void start_as_copy(torch::nn::Module& teacher, const torch::nn::Module& student) {
  torch::NoGradGuard no_grad;
  const auto pairs = pair_by_name(nn::state_dict(teacher), nn::state_dict(student));
  for (std::size_t i = 0; i < pairs.teacher.size(); ++i) pairs.teacher[i].copy_(pairs.student[i]);
  for (auto& parameter : teacher.parameters()) parameter.requires_grad_(false);
}

void follow(torch::nn::Module& teacher, const torch::nn::Module& student,
            const torch::Tensor& momentum, const torch::Tensor& bad) {
  move(pair_by_name(by_name(teacher.named_parameters()), by_name(student.named_parameters())),
       momentum, bad);
}

void take_statistics(torch::nn::Module& teacher, const torch::nn::Module& student,
                     const torch::Tensor& bad) {
  take(pair_by_name(by_name(teacher.named_buffers()), by_name(student.named_buffers())), bad);
}

void follow_statistics(torch::nn::Module& teacher, const torch::nn::Module& student,
                       const torch::Tensor& momentum, const torch::Tensor& bad) {
  torch::NoGradGuard no_grad;
  auto pairs = pair_by_name(by_name(teacher.named_buffers()), by_name(student.named_buffers()));
  const auto share = (1 - momentum).to(torch::kFloat32);
  for (std::size_t i = 0; i < pairs.teacher.size(); ++i) {
    auto& next = pairs.student[i];
    if (next.is_floating_point()) next = torch::lerp(pairs.teacher[i], next, share);
  }
  take(pairs, bad);  // not as weights move: after a bad step the student's may be NaN
}

void set_teacher_mode(torch::nn::Module& teacher, const config::TeacherConfig& options) {
  for (const auto& module : teacher.modules()) {
    const bool dropout = module->as<torch::nn::Dropout>() != nullptr;
    const bool drop_path = module->as<nn::DropPath>() != nullptr;
    const bool batch_norm = module->as<nn::BatchNorm>() != nullptr;
    if ((dropout && !options.dropout) || (drop_path && !options.drop_path) ||
        (batch_norm && options.batch_norm != config::BatchNormMode::kTrain)) {
      module->eval();
    }
  }
}

void fix_statistics(torch::nn::Module& teacher) {
  for (const auto& module : teacher.modules()) {
    if (auto* norm = module->as<nn::BatchNorm>()) norm->statistics_fixed = true;
  }
}

}  // namespace raven::models
