#include "models/method_checks.h"

#include "kernels/common/errors.h"
#include "models/losses.h"
#include "models/penalties.h"

namespace forger {
namespace {

class Checks {
 public:
  explicit Checks(const Config& config)
      : c_(config),
        loss_(parse_loss(config.text("loss"))),
        update_(config.text("d-update")),
        pack_(config.integer("pack")),
        has_penalty_(parse_penalty(config.text("gradient-penalty")) != GradientPenalty::none) {}

  void run() const {
    losses();
    penalties();
    batches();
    classes();
    unrolling();
  }

 private:
  template <class... Args>
  static void refuse(bool wrong, fmt::format_string<Args...> format, Args&&... args) {
    if (wrong) fail<ConfigError>("{}", fmt::format(format, std::forward<Args>(args)...));
  }
  bool is(const char* option, const char* value) const { return c_.has(option) && c_.text(option) == value; }

  void losses() const {
    refuse(is("fakes", "shared") && is("g-noise", "fresh"),
           "--fakes shared and --g-noise fresh contradict each other: shared fakes have one noise");
    refuse(is_paired(loss_) && update_ != "sum",
           "--loss {} compares pairs of a real and a fake sample in one update; give --d-update sum", c_.text("loss"));
    refuse(loss_ == AdversarialLoss::began && update_ != "sum",
           "--loss began weighs both energies in one update; give --d-update sum");
    refuse(c_.real("label-smoothing") > 0 && !has_labels(loss_),
           "--label-smoothing: --loss {} has no labels to smooth; leave it out", c_.text("loss"));
    refuse(c_.real("label-noise") > 0 && !has_labels(loss_),
           "--label-noise: --loss {} has no labels to disturb; give --label-noise 0", c_.text("loss"));
    refuse(loss_ == AdversarialLoss::wgan && c_.real("weight-clip") == 0 && !has_penalty_ && is_d_unconstrained(),
           "--loss wgan needs a D that cannot rise without bound; give --weight-clip 0.01, --gradient-penalty wgan-gp or "
           "--spectral-norm d");
  }

  bool is_d_unconstrained() const { return is("spectral-norm", "none") || is("spectral-norm", "g"); }

  void penalties() const {
    if (!has_penalty_) return;
    const std::string& name = c_.text("gradient-penalty");
    refuse(update_ != "sum", "--gradient-penalty {} belongs to one loss of both batches; give --d-update sum", name);
    refuse(is("d-norm", "batch"),
           "--gradient-penalty {}: batch normalisation ties the samples of a batch together, so that D has no gradient of a "
           "single one; give --d-norm none or --d-norm layer",
           name);
    refuse(c_.real("weight-clip") > 0, "--weight-clip and --gradient-penalty {} are two ways to the same end; give one", name);
  }

  void batches() const {
    const int64_t batch = c_.integer("batch"), packs = batch / pack_;
    refuse(batch % pack_ != 0, "--pack: a batch of {} does not divide into packs of {}; give --batch {}", batch, pack_,
           std::max<int64_t>(packs, 1) * pack_);
    refuse(pack_ > 1 && update_ == "mixed", "--pack {}: a mixed batch would pack real and fake samples; give --d-update sum",
           pack_);
    refuse(is("minibatch-stddev", "on") && update_ == "mixed",
           "--minibatch-stddev on: a mixed batch has one deviation for real and fake; give --d-update sum");
    refuse(is("minibatch-stddev", "on") && packs < 2, "--minibatch-stddev on: one sample has no deviation; give --batch {}",
           2 * pack_);
    refuse(loss_ == AdversarialLoss::ebgan && c_.real("ebgan-pull") > 0 && packs < 2,
           "--ebgan-pull: there is no pair in a batch of one; give --batch {} or --ebgan-pull 0", 2 * pack_);
  }

  void classes() const {
    const std::string& conditional = c_.text("conditional");
    if (conditional == "none") return;
    refuse(is_energy(loss_), "--conditional {}: a D that reconstructs samples has no place for classes; leave it out",
           conditional);
    refuse(conditional == "projection" && pack_ > 1,
           "--conditional projection: a pack of {} has no one class; give --conditional concat or --pack 1", pack_);
    refuse(c_.has("stack") && c_.integer("stack") > 1,
           "--conditional {}: stacked images have a class for every channel; give --stack 1 --channels 1 or leave it out",
           conditional);
  }

  void unrolling() const {
    const int64_t k = c_.integer("unroll");
    if (k == 0) return;
    refuse(has_penalty_, "--unroll {}: D's updates with --gradient-penalty {} would need gradients of third order; give one", k,
           c_.text("gradient-penalty"));
    refuse(c_.real("weight-clip") > 0, "--unroll {}: the steps ahead do not clip weights; leave out --weight-clip", k);
  }

  const Config& c_;
  AdversarialLoss loss_;
  std::string update_;
  int64_t pack_;
  bool has_penalty_;
};

}  // namespace

void check_methods(const Config& config) {
  Checks(config).run();
}

}  // namespace forger
