// The parts of report.html that are not data: training/report_page/style.css and report.js, which the build embeds.
#pragma once

namespace forger {

extern const char* const kReportStyle;
extern const char* const kReportScript;

}  // namespace forger
