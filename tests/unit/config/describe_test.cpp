#include <string>

#include <gtest/gtest.h>

#include "qzo/config/load.h"
#include "qzo/core/error.h"

namespace {

using qzo::core::Json;

TEST(Schema, covers_exactly_the_keys_of_the_effective_config) {
  const auto config = qzo::config::load_config_text(qzo::config::default_config("gptq").dump(), "d.json", {});
  const Json effective = qzo::config::effective_json(config);
  const Json schema = qzo::config::json_schema();
  for (const auto& [group, keys] : effective.items()) {
    const Json& object = group == "task" ? schema["properties"][group]["oneOf"][1] : schema["properties"][group];
    ASSERT_TRUE(object.is_object()) << group;
    EXPECT_EQ(object["additionalProperties"], false);
    EXPECT_EQ(object["properties"].size(), keys.size()) << group;
    for (const auto& [key, entry] : keys.items())
      EXPECT_TRUE(object["properties"].contains(key)) << group << "." << key;
  }
  EXPECT_EQ(schema["properties"].size(), effective.size() + 2);  // $schema and about
}

TEST(Schema, bounds_choices_and_defaults_come_from_the_declarations) {
  const Json properties = qzo::config::json_schema()["properties"];
  const Json& eps = properties["zo"]["properties"]["eps"];
  EXPECT_EQ(eps["exclusiveMinimum"], 0.0);
  EXPECT_FALSE(eps.contains("default"));
  EXPECT_EQ(properties["zo"]["properties"]["clip"]["type"], Json({"number", "null"}));
  EXPECT_EQ(properties["train"]["properties"]["steps"]["default"], 20000);
  EXPECT_EQ(properties["zo"]["properties"]["eps_mode"]["enum"], Json({"absolute", "relative"}));
  EXPECT_EQ(properties["model"]["required"], Json({"path"}));
}

TEST(Describe, all_group_key_and_typing_error) {
  const std::string all = qzo::config::describe_keys();
  EXPECT_NE(all.find("zo.eps\n"), std::string::npos);
  EXPECT_NE(all.find("output.tensorboard\n"), std::string::npos);
  const std::string group = qzo::config::describe_keys("zo");
  EXPECT_NE(group.find("zo.clip\n"), std::string::npos);
  EXPECT_EQ(group.find("train.lr\n"), std::string::npos);
  const std::string key = qzo::config::describe_keys("train.warmup");
  EXPECT_NE(key.find("default 0; unit: steps"), std::string::npos) << key;
  try {
    qzo::config::describe_keys("zo.epz");
    FAIL();
  } catch (const qzo::core::UserError& error) {
    EXPECT_NE(std::string(error.what()).find("zo.eps"), std::string::npos);
  }
}

TEST(DefaultConfig, is_a_complete_recipe_with_the_published_settings) {
  const Json recipe = qzo::config::default_config("gptq");
  auto config = qzo::config::load_config_text(recipe.dump(2), "d.json", {});
  EXPECT_EQ(config.values.zo.eps, 1e-3);
  EXPECT_EQ(config.values.train.lr, 1e-7);
  EXPECT_EQ(config.sources.at("data.bos"), qzo::config::Source::kFile);
  EXPECT_THROW(qzo::config::default_config("q4_1"), qzo::core::UserError);
}

}  // namespace
