#include "bench/rounds.h"

#define FLOOR_S_MAX 3 /* of each of its two parts, in each round */

/* The rate of all rounds, of as many exchanges each, when `rate` was that of one: times add up, as those of
 * the exchanges do. `rate_of_all` is that of the rounds before. */
static double rate_with(double rate_of_all, int rounds_before, double rate)
{
	return rounds_before == 0 ? rate : (rounds_before + 1) / (rounds_before / rate_of_all + 1 / rate);
}

static bool measure_floor(struct line *line, const struct exchange_result *round,
			  const struct copies_sizes *sizes, unsigned seconds, int rounds_before,
			  struct floor_result *floor)
{
	const struct exchange_costs *costs = &round->costs;
	struct step step;
	struct floor_result result;
	uint64_t commits = costs->post_commits[0] + costs->post_commits[1] + costs->courier_commits[0] +
			   costs->courier_commits[1];
	const struct floor_counts counts = {
		.entries_per_receipt = (double)round->count / round->receipts,
		.commits_per_receipt = (double)commits / round->receipts,
		.message_size = sizes->message,
		.receipt_size = sizes->receipt,
	};
	step_begin(&step, "  the floor");
	bool done = floor_measure(&line->children, line->place->directory, &counts, seconds, &step, &result);
	step_end(&step);
	if (done) {
		floor->per_second = rate_with(floor->per_second, rounds_before, result.per_second);
		floor->overlapped_per_second =
			rate_with(floor->overlapped_per_second, rounds_before, result.overlapped_per_second);
		floor->cpu_us += result.cpu_us / ROUNDS;
	}
	return done;
}

static void add(struct exchange_result *sum, const struct exchange_result *round)
{
	sum->count += round->count;
	sum->seconds += round->seconds;
	sum->receipts += round->receipts;
	for (int i = 0; i < 2; i++) {
		sum->costs.post_commits[i] += round->costs.post_commits[i];
		sum->costs.courier_commits[i] += round->costs.courier_commits[i];
		sum->costs.post_cpu_us[i] += round->costs.post_cpu_us[i];
		sum->costs.courier_cpu_us[i] += round->costs.courier_cpu_us[i];
	}
	sum->costs.syncs += round->costs.syncs;
	sum->costs.officers_cpu_us += round->costs.officers_cpu_us;
}

bool rounds_measure(struct line *line, struct officer *officer, const struct exchange_plan *plan,
		    const struct copies_sizes *sizes, struct exchange_result *result,
		    struct floor_result *floor)
{
	struct exchange_plan part = *plan;
	unsigned floor_s = plan->seconds / (2 * ROUNDS);
	part.count = (plan->count + ROUNDS - 1) / ROUNDS;
	part.seconds = (plan->seconds + ROUNDS - 1) / ROUNDS;
	if (floor_s > FLOOR_S_MAX)
		floor_s = FLOOR_S_MAX;
	*result = (struct exchange_result){0};
	*floor = (struct floor_result){0};
	for (int i = 0; i < ROUNDS; i++) {
		struct exchange_result round;
		struct step step;
		step_begin(&step, "exchanges");
		bool done = exchange_run(line, officer, &part, &step, &round);
		step_end(&step);
		exchange_free(&round);
		if (!done || !measure_floor(line, &round, sizes, floor_s > 0 ? floor_s : 1, i, floor))
			return false;
		add(result, &round);
	}
	return true;
}
