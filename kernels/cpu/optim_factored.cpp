#include "cpu/optim_factored.h"

#include <algorithm>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"

namespace qzo::kernels {
namespace {

// A large matrix is cut into tiles. Their sums take 1 / kTileRows + 1 / kTileColumns of its elements.
constexpr std::int64_t kTileRows = 64;
constexpr std::int64_t kTileColumns = 4096;

struct Extent {
  std::int64_t first, count;
};

struct Tile {
  std::size_t moment;
  Extent matrices;  // several only if they are whole
  Extent rows, columns;
  std::vector<double> row_sums, column_sums;  // of a part of a matrix
};

std::int64_t parts(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

bool is_small(const FactoredView& view) { return view.rows * view.columns <= kTileRows * kTileColumns; }

void add_tiles(std::size_t index, const FactoredView& view, std::vector<Tile>& tiles) {
  if (is_small(view)) {
    const std::int64_t group = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, view.rows * view.columns));
    for (std::int64_t first = 0; first < view.batch; first += group)
      tiles.push_back({index, {first, std::min(group, view.batch - first)}, {0, view.rows}, {0, view.columns}, {}, {}});
    return;
  }
  for (std::int64_t matrix = 0; matrix < view.batch; ++matrix)
    for (std::int64_t row = 0; row < view.rows; row += kTileRows)
      for (std::int64_t column = 0; column < view.columns; column += kTileColumns)
        tiles.push_back({index,
                         {matrix, 1},
                         {row, std::min(kTileRows, view.rows - row)},
                         {column, std::min(kTileColumns, view.columns - column)},
                         {},
                         {}});
}

// Sums of a tile of one matrix.
void sum_tile(const FactoredMoment& moment, std::int64_t matrix, Extent rows, Extent columns, double* row_sums,
              double* column_sums) {
  const OptimVariant& variant = active_optim();
  const ParameterView& parameter = *moment.parameter;
  alignas(64) ChunkFloats buffer;
  for (std::int64_t r = 0; r < rows.count; ++r) {
    const std::int64_t row = matrix * moment.view.rows + rows.first + r;
    row_sums[r] = 0;
    for (std::int64_t done = 0; done < columns.count; done += kOptimChunk) {
      const std::int64_t count = std::min(kOptimChunk, columns.count - done);
      const std::int64_t first = row * moment.view.columns + columns.first + done;
      const float* g = buffer.data();
      if (parameter.gradient_dtype == core::Dtype::kF32) {
        g = static_cast<const float*>(parameter.gradient) + first;
      } else {
        variant.widen(static_cast<const std::uint16_t*>(parameter.gradient) + first, count, buffer.data());
      }
      row_sums[r] += variant.add_squares(g, count, moment.offset, column_sums + done);
    }
  }
}

void blend(const FactoredMoment& moment, float& mean, double sum, std::int64_t count) {
  mean = static_cast<float>(moment.keep * static_cast<double>(mean) +
                            (1 - moment.keep) * (sum / static_cast<double>(count)));
}

void whole_matrices(const FactoredMoment& moment, const Tile& tile) {
  const FactoredView& view = moment.view;
  std::vector<double> row_sums(static_cast<std::size_t>(view.rows)),
      column_sums(static_cast<std::size_t>(view.columns));
  for (std::int64_t i = 0; i < tile.matrices.count; ++i) {
    const std::int64_t matrix = tile.matrices.first + i;
    std::fill(column_sums.begin(), column_sums.end(), 0.0);
    sum_tile(moment, matrix, tile.rows, tile.columns, row_sums.data(), column_sums.data());
    for (std::size_t r = 0; r < row_sums.size(); ++r)
      blend(moment, view.row[matrix * view.rows + static_cast<std::int64_t>(r)], row_sums[r], view.columns);
    for (std::size_t c = 0; c < column_sums.size(); ++c)
      blend(moment, view.column[matrix * view.columns + static_cast<std::int64_t>(c)], column_sums[c], view.rows);
  }
}

// Adds the tiles of one matrix in their order.
void merge_tiles(const FactoredMoment& moment, std::span<const Tile> tiles) {
  const FactoredView& view = moment.view;
  const std::int64_t matrix = tiles.front().matrices.first;
  std::vector<double> row_sums(static_cast<std::size_t>(view.rows)),
      column_sums(static_cast<std::size_t>(view.columns));
  for (const Tile& tile : tiles) {
    for (std::size_t r = 0; r < tile.row_sums.size(); ++r)
      row_sums[static_cast<std::size_t>(tile.rows.first) + r] += tile.row_sums[r];
    for (std::size_t c = 0; c < tile.column_sums.size(); ++c)
      column_sums[static_cast<std::size_t>(tile.columns.first) + c] += tile.column_sums[c];
  }
  for (std::int64_t r = 0; r < view.rows; ++r)
    blend(moment, view.row[matrix * view.rows + r], row_sums[static_cast<std::size_t>(r)], view.columns);
  for (std::int64_t c = 0; c < view.columns; ++c)
    blend(moment, view.column[matrix * view.columns + c], column_sums[static_cast<std::size_t>(c)], view.rows);
}

}  // namespace

void update_factored(std::span<const FactoredMoment> moments) {
  std::vector<Tile> tiles;
  for (std::size_t i = 0; i < moments.size(); ++i) add_tiles(i, moments[i].view, tiles);
  core::parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t index, int) {
    Tile& tile = tiles[static_cast<std::size_t>(index)];
    const FactoredMoment& moment = moments[tile.moment];
    if (is_small(moment.view)) {
      whole_matrices(moment, tile);
      return;
    }
    tile.row_sums.resize(static_cast<std::size_t>(tile.rows.count));
    tile.column_sums.resize(static_cast<std::size_t>(tile.columns.count));
    sum_tile(moment, tile.matrices.first, tile.rows, tile.columns, tile.row_sums.data(), tile.column_sums.data());
  });
  for (std::size_t first = 0; first < tiles.size();) {
    const FactoredView& view = moments[tiles[first].moment].view;
    const auto count =
        is_small(view) ? 1 : static_cast<std::size_t>(parts(view.rows, kTileRows) * parts(view.columns, kTileColumns));
    if (!is_small(view)) merge_tiles(moments[tiles[first].moment], std::span(tiles).subspan(first, count));
    first += count;
  }
}

std::vector<float> row_means(const FactoredView& view) {
  std::vector<float> means;
  for (std::int64_t matrix = 0; matrix < view.batch; ++matrix) {
    double sum = 0;
    for (std::int64_t row = 0; row < view.rows; ++row) sum += static_cast<double>(view.row[matrix * view.rows + row]);
    means.push_back(static_cast<float>(sum / static_cast<double>(view.rows)));
  }
  return means;
}

void outer_product(const FactoredView& view, const OuterFactors& factors, std::int64_t first, std::int64_t count,
                   float* out) {
  const OptimVariant& variant = active_optim();
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t row = (first + done) / view.columns, column = (first + done) % view.columns;
    const std::int64_t length = std::min(count - done, view.columns - column);
    variant.scaled(factors.column.data() + row / view.rows * view.columns + column,
                   factors.row[static_cast<std::size_t>(row)], length, out + done);
    done += length;
  }
  for (std::int64_t i = count; i % 16 != 0; ++i) out[i] = 0;
}

}  // namespace qzo::kernels
