// Subcommands that only show something, and what happens to misspelt ones.
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/cli_testing.h"

TEST_SUITE_BEGIN("command line: subcommands");

using namespace forger::test;

namespace {

/// Whether a line has these words in this order, and nothing else.
bool has_row(const std::string& text, const std::string& row) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (words(line) == words(row)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("help and version end with 0 and write nothing") {
  Workplace w;
  for (const char* line : {"--help", "-h", "--version", "train --help", "sample --help", "list", "doctor"}) {
    FORGER_RUN_OK(w, line);
  }
  CHECK(w.tree().empty());
  const std::string version = w.run("--version").out;
  CHECK_MESSAGE(std::regex_match(version, std::regex("forger \\d+\\.\\d+\\.\\d+( \\([0-9a-z]+(-dirty)?\\))?\n")), version);
  CHECK(has_row(w.run("doctor").out, version));
  CHECK(contains(w.run("train --help").out, "--n-critic"));
}

TEST_CASE("list names every recipe") {
  Workplace w;
  const std::string out = w.run("list").out;
  for (const char* recipe : {"dcgan", "mlp", "pattern1010", "normal1d", "gaussians4", "ring8", "grid25", "best-mnist",
                             "best-stacked", "mnist-classifier"})
    CHECK(contains(out, recipe));
}

TEST_CASE("the DCGAN has the tutorial's layers, shapes and parameters") {
  Workplace w;
  const std::string out = w.run("summary dcgan").out;
  const size_t second = out.find("Discriminator");
  REQUIRE(second != std::string::npos);
  const std::string g = out.substr(0, second), d = out.substr(second);
  for (const char* row :
       {"input (InputLayer) (None, 100) 0", "dense_1 (Dense) (None, 6272) 633472", "reshape_1 (Reshape) (None, 7, 7, 128) 0",
        "conv2d_transpose_1 (Conv2DTranspose) (None, 14, 14, 128) 262272", "conv2d_1 (Conv2D) (None, 14, 14, 128) 262272",
        "batch_normalization_1 (BatchNormalization) (None, 14, 14, 128) 512", "re_lu_1 (ReLU) (None, 14, 14, 128) 0",
        "conv2d_transpose_2 (Conv2DTranspose) (None, 28, 28, 128) 262272", "conv2d_2 (Conv2D) (None, 28, 28, 64) 131136",
        "batch_normalization_2 (BatchNormalization) (None, 28, 28, 64) 256", "re_lu_2 (ReLU) (None, 28, 28, 64) 0",
        "Total params: 1,555,329", "Trainable params: 1,554,945", "Non-trainable params: 384"}) {
    INFO(row << "\n" << g);
    CHECK(has_row(g, row));
  }
  CHECK(contains(g, "(None, 28, 28, 1)"));
  CHECK(contains(g, "3137"));
  for (const char* row : {"input (InputLayer) (None, 28, 28, 1) 0",
                          "conv2d_1 (Conv2D) (None, 14, 14, 32) 320",
                          "leaky_re_lu_1 (LeakyReLU) (None, 14, 14, 32) 0",
                          "dropout_1 (Dropout) (None, 14, 14, 32) 0",
                          "conv2d_2 (Conv2D) (None, 7, 7, 64) 32832",
                          "batch_normalization_1 (BatchNormalization) (None, 7, 7, 64) 256",
                          "leaky_re_lu_2 (LeakyReLU) (None, 7, 7, 64) 0",
                          "dropout_2 (Dropout) (None, 7, 7, 64) 0",
                          "conv2d_3 (Conv2D) (None, 4, 4, 128) 131200",
                          "batch_normalization_2 (BatchNormalization) (None, 4, 4, 128) 512",
                          "leaky_re_lu_3 (LeakyReLU) (None, 4, 4, 128) 0",
                          "dropout_3 (Dropout) (None, 4, 4, 128) 0",
                          "conv2d_4 (Conv2D) (None, 4, 4, 256) 524544",
                          "batch_normalization_3 (BatchNormalization) (None, 4, 4, 256) 1024",
                          "leaky_re_lu_4 (LeakyReLU) (None, 4, 4, 256) 0",
                          "dropout_4 (Dropout) (None, 4, 4, 256) 0",
                          "flatten_1 (Flatten) (None, 4096) 0",
                          "dense_1 (Dense) (None, 1) 4097",
                          "Total params: 694,785",
                          "Trainable params: 693,889",
                          "Non-trainable params: 896"}) {
    INFO(row << "\n" << d);
    CHECK(has_row(d, row));
  }
}

TEST_CASE("completions know every subcommand, flag, choice and recipe, and shells take them") {
  Workplace w;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const auto completion = w.run(fmt::format("completion {}", shell));
    REQUIRE(completion.code == 0);
    for (const char* part :
         {"train", "completion", "d-update", "separate sum mixed", "relativistic ebgan began", "best-stacked"}) {
      CHECK(contains(completion.out, part));
    }
    put_text(w / shell, completion.out);
    const std::string check = fmt::format("command -v {0} >/dev/null || exit 0; {0} -n '{1}'", shell, w / shell);
    CHECK(std::system(check.c_str()) == 0);
  }
  // bash itself completes from it.
  const auto complete = [&](const std::string& line) {
    const std::string script = fmt::format(
        "source '{}'; words=({}); COMP_WORDS=(\"${{words[@]}}\" ''); COMP_CWORD=${{#words[@]}}; _forger; echo "
        "\"${{COMPREPLY[*]}}\" >'{}'",
        w / "bash", line, w / "reply");
    put_text(w / "script", script);
    CHECK(std::system(fmt::format("bash '{}' 2>/dev/null", w / "script").c_str()) == 0);
    return words(w.text("reply"));
  };
  CHECK(complete("forger train mlp --d-update") == Words{"separate", "sum", "mixed"});
  CHECK(complete("forger verify --format") == Words{"table", "json"});
  CHECK(complete("forger completion") == Words{"bash", "zsh", "fish"});
  CHECK(complete("forger train --batch").empty());
  CHECK(complete("forger summary").front() == "dcgan");
  FORGER_REFUSES(w, "completion tcsh", "tcsh", "bash");
}

TEST_CASE("explain, verify and bench work on small things") {
  Workplace w;
  const std::string explained = w.run("explain pattern1010").out;
  for (const char* part : {"arena", "  0* ", "launches (*) wait for each other", "without the passes: "}) {
    CHECK(contains(explained, part));
  }
  CHECK(contains(w.run("explain dcgan --device cuda").out, "tiles of 128x64"));
  CHECK(w.run("explain pattern1010 --graph").code == 0);
  const auto verify = w.run("verify --op relu");
  CHECK(verify.code == 0);
  CHECK(contains(verify.out, ", 0 failed"));
  const auto bench = w.run("bench step pattern1010 --repeats 3 --launches unfused --format json");
  REQUIRE(bench.code == 0);
  const auto json = nlohmann::json::parse(bench.out);
  CHECK(json["recipe"] == "pattern1010");
  CHECK(json["other_options"] == "--launches unfused");
  CHECK(json["ms_median"].get<double>() > 0);
  CHECK(contains(w.run("bench launches pattern1010 --repeats 3").out, "launches"));
  CHECK(w.tree().empty());
}

TEST_CASE("unknown names are told with the nearest known one") {
  Workplace w;
  FORGER_REFUSES(w, "", "subcommand");
  FORGER_REFUSES(w, "trian", "'trian'", "'train'");
  FORGER_REFUSES(w, "smaple x", "'smaple'", "'sample'");
  FORGER_REFUSES(w, "--foo", "--foo", "--help");
  FORGER_REFUSES(w, "train mlp --bacth 3", "--bacth", "--batch");
  FORGER_REFUSES(w, "train mlp --bacth=3", "--bacth", "--batch");
  FORGER_REFUSES(w, "sample x --cuont 3", "--cuont", "--count");
  FORGER_REFUSES(w, "bench step --repeat 3", "--repeat", "--repeats");
  FORGER_REFUSES(w, "list --foo", "--foo");
  FORGER_REFUSES(w, "doctor extra", "'extra'");
  FORGER_REFUSES(w, "train mlp dcgan", "'dcgan'");
  FORGER_REFUSES(w, "verify --op relo", "'relo'", "'relu'");
  FORGER_REFUSES(w, "bench steps", "steps", "step");
  FORGER_REFUSES(w, "summary", "recipe");
  for (const char* command : {"summary ", "explain ", "train ", "bench step "}) {
    FORGER_REFUSES(w, command + std::string("dcgna"), "'dcgna'", "'dcgan'");
  }
}

TEST_CASE("an error has one line whatever is in a name, and a full standard output is one") {
  Workplace w;
  FORGER_REFUSES(w, (Words{"train", "mlp", "--data", "two\nlines"}), "two lines");
  if (std::filesystem::exists("/dev/full")) {
    const auto outcome = w.run("list", [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); });
    CHECK(outcome.code == 2);
    CHECK(outcome.is_one_line_with({"standard output"}));
  }
}

TEST_SUITE_END();
