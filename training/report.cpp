#include "training/report.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "datasets/files.h"
#include "training/loss_balance.h"
#include "training/report_page.h"

namespace forger {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMostPoints = 2000, kMostPictures = 24;

/// What a file holds; "" if there is none.
std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve(bytes.size() * 4 / 3 + 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

Json picture_uri(const std::string& path) {
  const std::string png = contents_of(path);
  return png.empty() ? Json() : Json("data:image/png;base64," + base64(png));
}

/// At most `most` of `count` indices, evenly spread, with the first and the last.
std::vector<size_t> spread(size_t count, size_t most) {
  std::vector<size_t> indices;
  if (count <= most) {
    for (size_t i = 0; i < count; ++i) indices.push_back(i);
  } else {
    for (size_t i = 0; i < most; ++i) indices.push_back(i * (count - 1) / (most - 1));
  }
  return indices;
}

/// Every number of metrics.jsonl as {name: [[step, value], ..]}, the verdicts, the last histogram of classes. Speed is left out:
/// it is no property of the GAN, and with it equal runs would have different reports.
void read_metrics(const std::string& path, Json& series, Json& verdicts, Json& classes) {
  std::map<std::string, std::vector<Json>> all;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step")) continue;
    if (json.contains("verdict")) {
      verdicts.push_back(json);
      continue;
    }
    for (const auto& [name, value] : json.items()) {
      if (name == "eval/class_shares") classes["shares"] = value, classes["step"] = json["step"];
      if (name == "eval/real_class_shares") classes["real"] = value;
      if (value.is_number() && name != "step" && name != "images_per_second")
        all[name].push_back(Json::array({json["step"], value}));
    }
  }
  series = Json::object();
  for (const auto& [name, points] : all) {
    for (const size_t i : spread(points.size(), kMostPoints)) series[name].push_back(points[i]);
  }
}

/// fakes-STEP.png in the order of the steps.
Json read_pictures(const std::string& run) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("fakes-") && name.ends_with(".png")) names.push_back(name);
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;  // more than eight digits
  });
  Json pictures = Json::array();
  for (const size_t i : spread(names.size(), kMostPictures)) {
    const std::string digits = names[i].substr(6, names[i].size() - 10);
    pictures.push_back({{"step", std::strtoll(digits.c_str(), nullptr, 10)}, {"uri", picture_uri(run + "/" + names[i])}});
  }
  return pictures;
}

/// A JSON file of the run directory, or null.
Json read_json(const std::string& path) {
  const auto json = Json::parse(contents_of(path), nullptr, false);
  return json.is_discarded() ? Json() : json;
}

/// Text inside <script>: "</" would end it.
std::string script_text(const Json& json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (size_t at = 0; (at = text.find("</", at)) != std::string::npos; at += 3) text.replace(at, 2, "<\\/");
  return text;
}

Json optional_number(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

void write_report(const std::string& run, const Recipe& recipe, const Config& config, int64_t step) {
  const LossBalance equilibrium = loss_balance(config);
  Json json, series, verdicts = Json::array(), classes;
  read_metrics(run + "/metrics.jsonl", series, verdicts, classes);
  json["config"] = Json::parse(config.to_json());
  json["kind"] = recipe.kind == SampleKind::images ? "images" : "points";
  json["step"] = step;
  json["equilibrium"] = {{"d_loss", optional_number(equilibrium.d_loss)},
                         {"g_loss", optional_number(equilibrium.g_loss)},
                         {"d_label", equilibrium.d_label}};
  json["probabilities"] = shows_probabilities(config);
  json["series"] = series;
  json["verdicts"] = verdicts;
  json["classes"] = classes;
  json["pictures"] = read_pictures(run);
  json["reals"] = picture_uri(run + "/reals.png");
  json["distribution"] = read_json(run + "/" + kDistributionFile);
  json["evaluation"] = read_json(run + "/evaluation.json");
  const std::string page = std::string("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n") +
                           "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Forger: " + recipe.name +
                           "</title>\n<style>\n" + kReportStyle +
                           "</style>\n</head>\n<body>\n<h1 id=\"title\"></h1>\n<p id=\"about\" class=\"dim\"></p>\n"
                           "<div id=\"verdict\"></div>\n<div id=\"panels\" class=\"grid\"></div>\n"
                           "<script id=\"data\" type=\"application/json\">" +
                           script_text(json) + "</script>\n<script>\n" + kReportScript + "</script>\n</body>\n</html>\n";
  write_file(run + "/report.html", {bytes_of(std::span<const char>(page))});
}

}  // namespace forger
