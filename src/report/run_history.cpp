#include "raven/report/run_history.h"

#include "core/parse_json.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "report/json_fields.h"

namespace raven::report {
namespace {

constexpr const char* kEvent = "event";
constexpr const char* kStart = "start";
constexpr const char* kStop = "stop";

std::string line_of(const Json& json) { return json.dump() + "\n"; }

std::int64_t step_in(const Json& json, const char* key) {
  return static_cast<std::int64_t>(number_of(json, key).value_or(0));
}

RunStart start_of(const Json& json) {
  RunStart start{.time = text_of(json, "time"),
                 .from_step = step_in(json, "from_step"),
                 .steps = step_in(json, "steps")};
  if (const auto words = json.find("arguments"); words != json.end() && words->is_array()) {
    for (const auto& word : *words) start.arguments.push_back(text_of(word));
  }
  if (const auto facts = json.find("facts"); facts != json.end() && facts->is_object()) {
    for (const auto& [name, fact] : facts->items()) start.facts[name] = text_of(fact);
  }
  return start;
}

}  // namespace

std::string line_of(const RunStart& start) {
  Json json = {{kEvent, kStart},       {"time", start.time},         {"from_step", start.from_step},
               {"steps", start.steps}, {"arguments", Json::array()}, {"facts", Json::object()}};
  for (const auto& word : start.arguments) json["arguments"].push_back(as_utf8(word));
  for (const auto& [name, fact] : start.facts) json["facts"][name] = as_utf8(fact);
  return line_of(json);
}

std::string line_of(const RunStop& stop) {
  return line_of(Json{{kEvent, kStop},
                      {"time", stop.time},
                      {"step", stop.step},
                      {"reason", as_utf8(stop.reason)},
                      {"seconds", stop.seconds}});
}

std::vector<RunPart> parse_history(std::string_view text) {
  std::vector<RunPart> parts;
  Lines lines(text);
  while (const auto line = lines.next()) {
    const auto json = parse_json<Json>(*line);
    if (!json.is_object()) continue;
    const auto event = text_of(json, kEvent);
    if (event == kStart) parts.push_back({.start = start_of(json), .stop = {}});
    if (event != kStop || parts.empty() || parts.back().stop) continue;
    parts.back().stop = {.time = text_of(json, "time"),
                         .step = step_in(json, "step"),
                         .reason = text_of(json, "reason"),
                         .seconds = number_of(json, "seconds").value_or(0)};
  }
  return parts;
}

double seconds_of(const std::vector<RunPart>& parts) {
  double seconds = 0;
  for (const auto& part : parts) seconds += part.stop ? part.stop->seconds : 0;
  return seconds;
}

}  // namespace raven::report
