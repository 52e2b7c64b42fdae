import { type ConfigurationReport, checkBroker } from '../../internal/server/check-broker.ts';
import { locatingFaults } from '../cli/options/locate.ts';
import type { Parsed } from '../cli/options/parse-program.ts';
import { UsageError, UsageErrors } from '../cli/options/program.ts';
import { complain, EXIT_DONE, EXIT_FAILED, warn } from '../cli/run-program.ts';
import { brokerOptionsOf } from './broker-options.ts';
import type { brokerProgram } from './flags.ts';

/**
 * Says whether a broker would start with a command line, its files and its folder, and opens nothing.
 *
 * @param name of the program.
 * @returns the exit code.
 */
export async function checkConfiguration(
  name: string,
  parsed: Parsed<typeof brokerProgram.options>,
): Promise<number> {
  return tell(name, await reportOn(parsed), parsed.values);
}

/** Says what is wrong with a file of options, which has not been read as a whole. @returns the exit code. */
export function tellFaults(
  name: string,
  { problems }: UsageErrors,
  { values }: Parsed<typeof brokerProgram.options>,
): number {
  return tell(name, { problems, notes: [], urls: [] }, values);
}

function tell(
  name: string,
  { problems, notes, urls }: ConfigurationReport,
  values: Parsed<typeof brokerProgram.options>['values'],
): number {
  const isRight = problems.length === 0;
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ isRight, problems, notes, urls })}\n`);
    return isRight ? EXIT_DONE : EXIT_FAILED;
  }
  for (const problem of problems) complain(name, problem);
  for (const note of notes) warn(name, note);
  if (!isRight) return EXIT_FAILED;
  if (!values.quiet) process.stdout.write(`The configuration is right. It listens on ${urls.join(', ')}\n`);
  return EXIT_DONE;
}

async function reportOn(parsed: Parsed<typeof brokerProgram.options>): Promise<ConfigurationReport> {
  const { values, given, operands, origins } = parsed;
  try {
    const options = locatingFaults(origins, () => brokerOptionsOf(values, given, () => {}, operands[0]));
    return await checkBroker({ ...options, openTelemetry: process.env });
  } catch (error) {
    if (error instanceof UsageErrors) return { problems: error.problems, notes: [], urls: [] };
    if (error instanceof UsageError) return { problems: [error.message], notes: [], urls: [] };
    throw error;
  }
}
