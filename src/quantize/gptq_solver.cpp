#include <algorithm>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/quantize/grouped_codes.h"

#include "quantize/rows.h"

namespace qzo::quantize {
namespace {

// Inputs whose corrections are brought to the inputs behind them by one matrix product. Longer blocks spend more time
// on single elements, shorter ones make thin products.
constexpr std::int64_t kBlock = 128;

// Columns of U that are solved for at a time: bounds the memory beside U and R.
constexpr std::int64_t kColumns = 256;

// The upper triangular U with H^-1 = U^T U. With J the reversal of rows, J H J = L L^T gives H = R R^T for the upper
// triangular R = J L J, hence U = R^-1: no inverse of H is formed.
at::Tensor inverse_factor(const at::Tensor& hessian, double damp) {
  at::Tensor h = hessian.to(at::kDouble).flip({0, 1});
  const at::Tensor diagonal = h.diagonal();
  const double mean = diagonal.mean().item<double>();
  diagonal.add_(mean > 0 ? damp * mean : 1.0);
  auto [triangle, info] = at::linalg_cholesky_ex(h);
  if (info.item<int>() != 0) {
    throw core::UserError(
        core::text("the inputs of a layer depend on each other too much to be told apart with --damp ", damp,
                   ": expected more calibration text, or a greater --damp"));
  }
  h = at::Tensor();
  triangle = triangle.flip({0, 1});
  const std::int64_t size = triangle.size(0);
  at::Tensor factor = at::zeros({size, size}, at::kFloat);
  for (std::int64_t begin = 0; begin < size; begin += kColumns) {
    // Below these columns U is 0.
    const std::int64_t end = std::min(begin + kColumns, size);
    const at::Tensor unit = at::zeros({end, end - begin}, at::kDouble);
    unit.narrow(0, begin, end - begin).fill_diagonal_(1.0);
    const at::Tensor corner = triangle.narrow(0, 0, end).narrow(1, 0, end);
    factor.narrow(0, 0, end).narrow(1, begin, end - begin).copy_(at::linalg_solve_triangular(corner, unit, true));
  }
  return factor;
}

// Where the block that begins at `begin` ends: at the end of a group where groups are smaller than a block, otherwise
// at the next begin of one, so that all corrections have arrived when a grid is laid.
std::int64_t block_end(std::int64_t begin, std::int64_t group, std::int64_t inputs) {
  const std::int64_t next_group = (begin / group + 1) * group;
  const std::int64_t end = group < kBlock ? begin + kBlock / group * group : std::min(begin + kBlock, next_group);
  return std::min(end, inputs);
}

// Some rows, all inputs. weight [rows, K] is changed on the way; codes, grids: of these rows.
class RowSolver {
 public:
  RowSolver(at::Tensor weight, const at::Tensor& factor, const SolverOptions& options, std::uint8_t* codes, Grid* grids)
      : weight_(std::move(weight)),
        factor_(factor),
        options_(options),
        inputs_(weight_.size(1)),
        groups_((inputs_ + options.group - 1) / options.group),
        codes_(codes),
        grids_(grids) {}

  void solve() {
    for (std::int64_t begin = 0; begin < inputs_;) {
      const std::int64_t end = block_end(begin, options_.group, inputs_);
      at::Tensor errors = at::empty({weight_.size(0), end - begin}, at::kFloat);
      for (std::int64_t row = 0; row < weight_.size(0); ++row)
        solve_block(row, begin, end, errors.data_ptr<float>() + row * (end - begin));
      if (end < inputs_) {
        at::Tensor rest = weight_.narrow(1, end, inputs_ - end);
        rest.addmm_(errors, factor_.narrow(0, begin, end - begin).narrow(1, end, inputs_ - end), 1, -1);
      }
      begin = end;
    }
  }

 private:
  void solve_block(std::int64_t row, std::int64_t begin, std::int64_t end, float* errors) {
    float* weights = weight_.data_ptr<float>() + row * inputs_;
    const int largest = options_.rule.largest_code();
    for (std::int64_t k = begin; k < end; ++k) {
      Grid& grid = grids_[row * groups_ + k / options_.group];
      if (k % options_.group == 0)
        grid = fit_grid(options_.rule, {weights + k, weights + std::min(k + options_.group, inputs_)});
      const std::int32_t code = grid.code(weights[k], largest);
      codes_[row * inputs_ + k] = static_cast<std::uint8_t>(code);
      const float* upper = factor_.const_data_ptr<float>() + k * inputs_;
      const float error = (weights[k] - grid.value(code)) / upper[k];
      errors[k - begin] = error;
      for (std::int64_t later = k + 1; later < end; ++later) weights[later] -= error * upper[later];
    }
  }

  at::Tensor weight_;
  const at::Tensor& factor_;
  const SolverOptions& options_;
  std::int64_t inputs_, groups_;
  std::uint8_t* codes_;
  Grid* grids_;
};

// From the order of the solver to that of the weight: input order[i] was the i-th.
void restore_order(const at::Tensor& order, GroupedCodes& result) {
  const auto* input = order.const_data_ptr<std::int64_t>();
  result.group_of.resize(static_cast<std::size_t>(result.in));
  for (std::int64_t i = 0; i < result.in; ++i)
    result.group_of[static_cast<std::size_t>(input[i])] = static_cast<std::int32_t>(i / result.group);
  for_rows(result.out, [&](std::int64_t row) {
    std::uint8_t* codes = result.codes.data() + row * result.in;
    const std::vector<std::uint8_t> solved(codes, codes + result.in);
    for (std::int64_t i = 0; i < result.in; ++i) codes[input[i]] = solved[static_cast<std::size_t>(i)];
  });
}

}  // namespace

GroupedCodes solve_gptq(const at::Tensor& weight, const at::Tensor& hessian, const SolverOptions& options) {
  GroupedCodes result = empty_codes(weight, options.rule, options.group);
  QZO_CHECK(hessian.dim() == 2 && hessian.size(0) == result.in && hessian.size(1) == result.in, hessian.sizes());
  at::Tensor order, h = hessian, w = weight;
  if (options.act_order) {
    order = at::argsort(hessian.diagonal(), true, 0, true).contiguous();
    h = hessian.index_select(0, order).index_select(1, order);
    w = weight.index_select(1, order);
  } else {
    w = weight.clone();
  }
  const at::Tensor factor = inverse_factor(h, options.damp);
  h = at::Tensor();
  core::parallel_for((result.out + kRowsPerPiece - 1) / kRowsPerPiece, [&](std::int64_t piece, int) {
    const std::int64_t begin = piece * kRowsPerPiece, rows = std::min(kRowsPerPiece, result.out - begin);
    RowSolver(w.narrow(0, begin, rows), factor, options, result.codes.data() + begin * result.in,
              result.grids.data() + begin * result.groups())
        .solve();
  });
  if (options.act_order) restore_order(order, result);
  return result;
}

}  // namespace qzo::quantize
