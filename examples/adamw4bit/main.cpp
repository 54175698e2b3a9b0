// A small network learns a function, once with torch::optim::AdamW and once with 4-bit states. Three lines differ.

#include <cstdio>

#include <torch/torch.h>

#include "qzo/torch_optim/optimizer.h"  // 1

namespace {

torch::nn::Sequential network() {
  torch::manual_seed(7);
  return torch::nn::Sequential(torch::nn::Linear(64, 512), torch::nn::Tanh(), torch::nn::Linear(512, 8));
}

template <class Optimizer>
double train(torch::nn::Sequential& model, Optimizer& optimizer) {
  torch::manual_seed(11);
  const torch::Tensor rule = torch::randn({64, 8});
  double last = 0;
  for (int step = 0; step < 300; ++step) {
    const torch::Tensor x = torch::randn({128, 64});
    const torch::Tensor loss = torch::mse_loss(model->forward(x), torch::tanh(torch::mm(x, rule)));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    last = loss.item<double>();
    if (step % 100 == 0) std::printf("  step %d loss %.4f\n", step, last);
  }
  return last;
}

}  // namespace

int main() {
  std::puts("torch::optim::AdamW");
  torch::nn::Sequential reference = network();
  torch::optim::AdamW theirs(reference->parameters(), torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  const double expected = train(reference, theirs);

  std::puts("4-bit AdamW");
  torch::nn::Sequential model = network();
  qzo::torch_optim::Optimizer ours("adamw4bit_rank1", model->parameters(),
                                   {1e-3, 0.01});  // 2; 3 stands in CMakeLists.txt
  const double found = train(model, ours);

  std::printf("loss %.4f and %.4f; states %.3f bytes a parameter instead of 8\n", expected, found,
              ours.states().bytes_per_parameter());
  return found < 1.2 * expected ? 0 : 1;
}
