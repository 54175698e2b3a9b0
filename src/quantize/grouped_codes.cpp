#include "qzo/quantize/grouped_codes.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"

#include "quantize/rows.h"

namespace qzo::quantize {

at::Tensor GroupedCodes::values() const {
  at::Tensor result = at::empty({out, in}, at::kFloat);
  auto* data = result.data_ptr<float>();
  for_rows(out, [&](std::int64_t n) {
    const Grid* own = grids.data() + n * groups();
    for (std::int64_t k = 0; k < in; ++k) {
      const std::int64_t at = group_of.empty() ? k / group : group_of[static_cast<std::size_t>(k)];
      data[n * in + k] = own[at].value(codes[static_cast<std::size_t>(n * in + k)]);
    }
  });
  return result;
}

GroupedCodes empty_codes(const at::Tensor& weight, const GridRule& rule, std::int64_t group) {
  QZO_CHECK(weight.dim() == 2 && weight.is_contiguous() && weight.scalar_type() == at::kFloat, weight.sizes());
  GroupedCodes result{.out = weight.size(0), .in = weight.size(1), .group = group, .rule = rule};
  QZO_CHECK(group > 0 && group <= result.in, "groups of ", group, " of ", result.in);
  result.codes.resize(static_cast<std::size_t>(result.out * result.in));
  result.grids.resize(static_cast<std::size_t>(result.out * result.groups()));
  return result;
}

GroupedCodes round_to_nearest(const at::Tensor& weight, const GridRule& rule, std::int64_t group) {
  GroupedCodes result = empty_codes(weight, rule, group);
  const auto* data = weight.const_data_ptr<float>();
  for_rows(result.out, [&](std::int64_t n) {
    const float* row = data + n * result.in;
    std::uint8_t* codes = result.codes.data() + n * result.in;
    for (std::int64_t g = 0; g < result.groups(); ++g) {
      const std::int64_t begin = g * group, end = std::min(begin + group, result.in);
      Grid& grid = result.grids[static_cast<std::size_t>(n * result.groups() + g)];
      grid = fit_grid(rule, {row + begin, row + end});
      for (std::int64_t k = begin; k < end; ++k)
        codes[k] = static_cast<std::uint8_t>(grid.code(row[k], rule.largest_code()));
    }
  });
  return result;
}

double relative_error(const at::Tensor& weight, const at::Tensor& values, const at::Tensor& hessian) {
  const auto weighted = [&](const at::Tensor& rows) {
    const at::Tensor other = hessian.defined() ? at::mm(rows, hessian) : rows;
    return (rows * other).sum(at::kDouble).item<double>();
  };
  const double whole = weighted(weight);
  return whole > 0 ? weighted(weight - values) / whole : 0;
}

}  // namespace qzo::quantize
