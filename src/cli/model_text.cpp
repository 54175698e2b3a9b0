#include "qzo/cli/model_text.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "qzo/cli/scale_statistics.h"
#include "qzo/cli/table.h"
#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

using core::text;

// Bytes per weight name stem: "blk.0.attn_q" for "blk.0.attn_q.weight", "x.q_proj" for "x.q_proj.qweight", ...
std::string stem_of(const std::string& tensor) {
  const std::size_t dot = tensor.rfind('.');
  return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

struct WeightGroup {
  std::int64_t count = 0, scales = 0, trained = 0;
  std::uint64_t bytes = 0;
};

}  // namespace

std::string name_class(const std::string& name) {
  std::string out;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    out += (begin == 0 ? "" : ".") + (number ? "*" : part);
    begin = end + 1;
  }
  return out;
}

std::string summary_text(const models::ModelSummary& summary) {
  return text(summary.family, ": ", summary.layers, " layers, hidden ", summary.hidden, ", intermediate ",
              summary.intermediate, ", ", summary.heads, " heads of ", summary.head_dim, " (", summary.kv_heads,
              " for keys and values), vocabulary ", summary.vocabulary,
              summary.tied_head ? ", head tied to the embedding" : "", ", up to ", summary.max_positions, " positions");
}

std::string tensor_tables(models::CausalLm& model, const io::Checkpoint& checkpoint, bool trained) {
  std::map<std::string, std::uint64_t> bytes;
  for (const io::TensorEntry& entry : checkpoint.tensors.entries()) bytes[stem_of(entry.name)] += entry.bytes.size();

  // One column per property; equal rows are counted. (class, format, shape, group) -> group
  std::map<std::tuple<std::string, std::string, std::string, std::int64_t>, WeightGroup> groups;
  std::map<std::string, bool> is_weight;
  for (const quant::PackedWeight* weight : model.weights()) {
    WeightGroup& group = groups[{name_class(weight->name), weight->format,
                                 core::shape_text({weight->codes.out, weight->codes.in}), weight->codes.group}];
    const auto scales = static_cast<std::int64_t>(weight->scales.size());
    ++group.count;
    group.scales += scales;
    if (weight->trainable) group.trained += scales;
    // A tied head is the embedding once more.
    if (!is_weight[weight->name]) group.bytes += bytes[weight->name];
    is_weight[weight->name] = true;
  }
  std::vector<std::string> header = {"weights", "count", "format", "[out, in]", "group", "scales", "bytes"};
  if (trained) header.emplace_back("trained");
  Table weights(header);
  for (const auto& [key, group] : groups) {
    const auto& [name, format, shape, group_size] = key;
    std::vector<std::string> row = {name,
                                    std::to_string(group.count),
                                    format,
                                    shape,
                                    group_size > 0 ? std::to_string(group_size) : "-",
                                    grouped(group.scales),
                                    core::human_bytes(group.bytes)};
    if (trained) row.push_back(grouped(group.trained));
    weights.add(row);
  }

  std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::int64_t, std::uint64_t>> others;
  for (const io::TensorEntry& entry : checkpoint.tensors.entries()) {
    if (is_weight.contains(stem_of(entry.name))) continue;
    auto& [count, size] = others[{name_class(entry.name), std::string(core::dtype_info(entry.dtype).name),
                                  core::shape_text(entry.shape)}];
    ++count;
    size += entry.bytes.size();
  }
  if (others.empty()) return weights.str();
  Table rest({"other tensors", "count", "type", "shape", "bytes"});
  for (const auto& [key, value] : others) {
    rest.add({std::get<0>(key), std::to_string(value.first), std::get<1>(key), std::get<2>(key),
              core::human_bytes(value.second)});
  }
  return weights.str() + "\n" + rest.str();
}

std::string scale_table(models::CausalLm& model) {
  std::map<std::string, ScaleStatistics> by_format;
  for (const quant::PackedWeight* weight : model.weights()) {
    if (weight->quantized()) by_format[weight->format].add(weight->scales);
  }
  if (by_format.empty()) return "no quantized weights: nothing here has scales\n";
  Table table({"scales", "count", "min |s|", "median |s|", "max |s|", "zero", "negative"});
  for (const auto& [format, statistics] : by_format) {
    table.add({format, grouped(statistics.count()), short_number(statistics.minimum()),
               short_number(statistics.quantile(0.5)), short_number(statistics.maximum()), grouped(statistics.zeros()),
               grouped(statistics.negatives())});
  }
  return table.str();
}

std::string zero_version_text(models::CausalLm& model, const io::Checkpoint& checkpoint) {
  std::int64_t v1 = 0, v2 = 0;
  for (const quant::PackedWeight* weight : model.weights()) {
    const io::TensorEntry* stored = checkpoint.tensors.find(weight->name + ".qzeros");
    if (!weight->format.starts_with("gptq") || stored == nullptr || stored->bytes.empty()) continue;
    // Output 0 of group 0 stands in the lowest bits.
    const unsigned mask = (1U << kernels::packed_bits(weight->codes.layout)) - 1;
    const int raw = std::to_integer<int>(stored->bytes[0] & static_cast<std::byte>(mask));
    const int zero = weight->codes.zeros != nullptr ? weight->codes.zeros[0] : weight->codes.zero;
    ++(zero == raw ? v2 : v1);
  }
  if (v1 + v2 == 0) return "";
  return text("GPTQ zeros: v1 (the file stores zero - 1) in ", v1, " weights, v2 (the zero itself) in ", v2, "\n");
}

std::string probe_text(models::CausalLm& model, double eps, bool relative) {
  ScaleStatistics statistics;
  for (const quant::PackedWeight* weight : model.weights()) {
    if (weight->trainable) statistics.add(weight->scales);
  }
  std::string out = text("trained scales: ", grouped(statistics.count()), "; ");
  if (relative)
    return out +
           text("eps ", short_number(eps), " of each scale, |s| / eps = ", short_number(1 / eps), " everywhere\n");
  out += text("|s| / eps: min ", short_number(statistics.minimum() / eps), ", 1 % ",
              short_number(statistics.quantile(0.01) / eps), ", median ", short_number(statistics.quantile(0.5) / eps),
              ", 99 % ", short_number(statistics.quantile(0.99) / eps),
              "; below eps: ", percent(statistics.share_below(eps)), "\n");
  return out;
}

}  // namespace qzo::cli
