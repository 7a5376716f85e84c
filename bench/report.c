#include "bench/report.h"

#include <stdio.h>

#include <jansson.h>

static double per_second(const struct exchange_result *result)
{
	return result->seconds > 0 ? result->count / result->seconds : 0;
}

static double per_exchange(uint64_t count, const struct exchange_result *result)
{
	return result->count > 0 ? (double)count / result->count : 0;
}

static double ratio(const struct report *report)
{
	return report->floor.per_second > 0 ? per_second(&report->batched) / report->floor.per_second : 0;
}

/* The heads of an interval, over the exchanges that fit into one at the rate that was measured. */
static double heads_per_exchange(const struct report *report)
{
	double exchanges = per_second(&report->batched) * report->session.heads_interval_s;
	return exchanges > 0 ? report->session.heads / exchanges : 0;
}

/* By daemon; the sender's first. */
static json_t *commits_json(const struct exchange_result *result)
{
	const struct exchange_costs *costs = &result->costs;
	return json_pack("{s:f, s:f, s:f, s:f}", "sender_liaisond",
			 per_exchange(costs->post_commits[0], result), "sender_liaison-courierd",
			 per_exchange(costs->courier_commits[0], result), "receiver_liaison-courierd",
			 per_exchange(costs->courier_commits[1], result), "receiver_liaisond",
			 per_exchange(costs->post_commits[1], result));
}

static json_t *cpu_json(const struct exchange_result *result)
{
	const struct exchange_costs *costs = &result->costs;
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "officers",
			 per_exchange(costs->officers_cpu_us, result), "sender_liaisond",
			 per_exchange(costs->post_cpu_us[0], result), "sender_liaison-courierd",
			 per_exchange(costs->courier_cpu_us[0], result), "receiver_liaison-courierd",
			 per_exchange(costs->courier_cpu_us[1], result), "receiver_liaisond",
			 per_exchange(costs->post_cpu_us[1], result));
}

bool report_json(const struct report *report)
{
	const struct exchange_result *batched = &report->batched;
	const struct session_bytes *session = &report->session;
	json_t *object =
		json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:{s:i, s:i}, s:i, s:i, s:i}", "exchanges_per_s",
			  per_second(batched), "floor_per_s", report->floor.per_second, "ratio",
			  ratio(report), "single_receipt_exchanges_per_s", per_second(&report->single),
			  "exchange_ms_p50", exchange_percentile_ms(&report->idle, 50), "exchange_ms_p99",
			  exchange_percentile_ms(&report->idle, 99), "rss_idle_kib", "liaisond",
			  (int)report->post_kib, "liaison-courierd", (int)report->courier_kib,
			  "sealed_message_bytes", (int)report->sizes.message, "sealed_receipt_bytes",
			  (int)report->sizes.receipt, "session_bytes", (int)session->exchange);
	json_t *more = json_pack(
		"{s:o, s:o, s:i, s:i, s:i, s:f, s:f, s:o, s:o, s:f, s:o, s:f, s:f, s:s, s:i}",
		"heads_bytes_per_interval", session->heads_known ? json_integer(session->heads) : json_null(),
		"heads_bytes_per_exchange",
		session->heads_known ? json_real(heads_per_exchange(report)) : json_null(),
		"heads_interval_s", (int)session->heads_interval_s, "exchanges", (int)batched->count,
		"connections", (int)report->connections, "exchanges_per_receipt",
		batched->receipts > 0 ? (double)batched->count / batched->receipts : 0.0,
		"single_receipt_exchanges_per_receipt",
		report->single.receipts > 0 ? (double)report->single.count / report->single.receipts : 0.0,
		"commits_per_exchange", commits_json(batched), "single_receipt_commits_per_exchange",
		commits_json(&report->single), "syncs_per_exchange",
		per_exchange(batched->costs.syncs, batched), "cpu_us_per_exchange", cpu_json(batched),
		"floor_cpu_us_per_exchange", report->floor.cpu_us, "floor_overlapped_per_s",
		report->floor.overlapped_per_second, "file_system", report->file_system, "cores",
		(int)report->cores);
	bool made = object != NULL && more != NULL && json_object_update(object, more) == 0;
	if (made)
		made = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
	printf("\n");
	json_decref(object);
	json_decref(more);
	return made ? true : fail("the machine has no memory left");
}

static void print_costs(const struct exchange_result *result)
{
	const struct exchange_costs *costs = &result->costs;
	printf("  commits for each: %.3f post, %.3f courier, %.3f other courier, %.3f other post\n",
	       per_exchange(costs->post_commits[0], result), per_exchange(costs->courier_commits[0], result),
	       per_exchange(costs->courier_commits[1], result), per_exchange(costs->post_commits[1], result));
	printf("  processor time for each: %.0f us post, %.0f courier, %.0f other courier, %.0f other post, "
	       "%.0f officers\n",
	       per_exchange(costs->post_cpu_us[0], result), per_exchange(costs->courier_cpu_us[0], result),
	       per_exchange(costs->courier_cpu_us[1], result), per_exchange(costs->post_cpu_us[1], result),
	       per_exchange(costs->officers_cpu_us, result));
}

void report_table(const struct report *report)
{
	const struct exchange_result *batched = &report->batched, *single = &report->single;
	const struct session_bytes *session = &report->session;
	printf("Throughput: %u exchanges over %u connections, %u cores, %s\n", batched->count,
	       report->connections, report->cores, report->file_system);
	printf("  %10.0f exchanges/s, %.1f for each receipt\n", per_second(batched),
	       batched->receipts > 0 ? (double)batched->count / batched->receipts : 0.0);
	print_costs(batched);
	printf("  %10.0f exchanges/s is the floor, of %.0f us processor time each: ratio %.2f\n",
	       report->floor.per_second, report->floor.cpu_us, ratio(report));
	printf("  %10.0f with two processes for each core\n", report->floor.overlapped_per_second);
	printf("One receipt for each message: one message after the other\n");
	printf("  %10.0f exchanges/s, %.1f for each receipt\n", per_second(single),
	       single->receipts > 0 ? (double)single->count / single->receipts : 0.0);
	print_costs(single);
	printf("On an idle line: %u exchanges\n", report->idle.count);
	printf("  %10.2f ms median, %.2f ms at the 99th percentile\n",
	       exchange_percentile_ms(&report->idle, 50), exchange_percentile_ms(&report->idle, 99));
	printf("Memory of the idle daemons\n");
	printf("  %10u KiB liaisond, %u KiB liaison-courierd\n", report->post_kib, report->courier_kib);
	printf("Bytes for a text of %d bytes\n", OFFICER_TEXT_SIZE);
	printf("  %10u sealed, %u its sealed receipt\n", report->sizes.message, report->sizes.receipt);
	printf("  %10u TCP payload, both ways, on a standing TLS session\n", session->exchange);
	if (session->heads_known)
		printf("  %10u beside it every %u s for heads and cosignatures: %.2f for each exchange at "
		       "this rate\n",
		       session->heads, session->heads_interval_s, heads_per_exchange(report));
}
