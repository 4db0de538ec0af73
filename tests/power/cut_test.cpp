// The power is cut at any moment of the work, then at any moment of the recovery, and again.
#include "tests/power/power_test.h"

namespace mailstead::power {
namespace {

class PowerCut : public PowerTest {};

TEST_F(PowerCut, AtAnyMomentOfTheWorkNothingAcknowledgedIsLost) {
    for (int life = 0; life < 8; ++life) {
        for (Point& point : campaign_.live(80, 12, Ending::with_a_cut)) campaign_.recover(std::move(point));
    }
    EXPECT_GT(campaign_.figures().points, 40u);
}

TEST_F(PowerCut, NothingAcknowledgedIsLostHoweverOftenTheRecoveryIsCutInTurn) {
    campaign_.run(250, std::chrono::steady_clock::now() + std::chrono::seconds(40));
    EXPECT_GT(campaign_.figures().acknowledged, 1'000u);
}

TEST_F(PowerCut, BeforeEveryCallOfOneRecovery) {
    std::vector<Point> points;
    while (points.empty()) points = campaign_.live(60, 3);  // chance may pass over a whole life
    Point point = std::move(points[random() % points.size()]);
    RecoverOptions options;
    options.is_cut_at = [](std::uint64_t) { return true; };
    const Recovered recovered = campaign_.recover(std::move(point), options);
    for (const Point& cut : recovered.cuts) campaign_.recover(cut);
    EXPECT_GT(recovered.cuts.size(), 10u);
}

}  // namespace
}  // namespace mailstead::power
