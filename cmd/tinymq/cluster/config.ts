import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { composeFile, type Owner } from './compose-file.ts';
import { clusterConfigProgram } from './flags.ts';
import { nextSteps, type Step } from './next-steps.ts';
import { brokerNameOf, type ClusterPlan, hasCompose, planOf } from './plan.ts';
import { serverFile } from './server-file.ts';

const SECRET_MODE = 0o600;
const OPEN_MODE = 0o644;
const FOLDER_MODE = 0o700;
const PASSWORD_BYTES = 24;

interface NewFile {
  readonly name: string;
  readonly mode: number;
  readonly content: string;
}

export const config = command(clusterConfigProgram, async ({ values }) => {
  const plan = planOf(values);
  const files = await filesOf(plan);
  checkFree(plan, files);
  write(plan, files);
  const written = files.map(({ name }) => shownPath(plan, name));
  const steps = nextSteps(plan, (name) => shownPath(plan, name));
  if (values.json) print({ files: written, steps });
  else if (!values.quiet) process.stdout.write(report(written, steps));
});

async function filesOf(plan: ClusterPlan): Promise<NewFile[]> {
  // Only who writes these loads what speaks NATS.
  const { newKey } = await import('../../../internal/cluster/credentials.ts');
  const { publicKey, seed } = newKey();
  const secrets = { brokerKey: publicKey, routePassword: randomBytes(PASSWORD_BYTES).toString('base64url') };
  const servers = plan.nodes.map((node) => ({
    name: `${node.name}.conf`,
    mode: SECRET_MODE,
    content: serverFile(plan, node, secrets),
  }));
  return [
    ...servers,
    { name: 'credentials', mode: SECRET_MODE, content: `${seed}\n` },
    ...(plan.isTls ? await certificatesOf(plan) : []),
    ...(hasCompose(plan)
      ? [{ name: 'compose.yaml', mode: OPEN_MODE, content: composeFile(plan, owner()) }]
      : []),
  ];
}

async function certificatesOf({ nodes }: ClusterPlan): Promise<NewFile[]> {
  const { makeAuthority, makePeerCertificate, pemOf } = await import(
    '../../../internal/transport/development-certificates.ts'
  );
  const ca = await makeAuthority();
  const made = await Promise.all(
    nodes.map(async ({ name, host }) => {
      const names = [...new Set([host, name, 'localhost', '127.0.0.1'])];
      return { name, pem: await pemOf(await makePeerCertificate(ca, names)) };
    }),
  );
  return [{ name: 'ca', pem: await pemOf(ca) }, ...made].flatMap(({ name, pem }) => [
    { name: `${name}.crt`, mode: OPEN_MODE, content: pem.certificate },
    { name: `${name}.key`, mode: SECRET_MODE, content: pem.key },
  ]);
}

function owner(): Owner {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** Other credentials in the place of those that servers and brokers have would shut them out. */
function checkFree({ folder }: ClusterPlan, files: readonly NewFile[]): void {
  const taken = files.map(({ name }) => join(folder, name)).filter((file) => existsSync(file));
  if (taken.length === 0) return;
  throw new Failure(
    `${taken.join(', ')} is there already: name another folder with -out, or move the old files away`,
  );
}

function write(plan: ClusterPlan, files: readonly NewFile[]): void {
  try {
    mkdirSync(plan.folder, { recursive: true, mode: FOLDER_MODE });
    for (const { name, mode, content } of files) {
      writeFileSync(join(plan.folder, name), content, { mode, flag: 'wx' });
    }
    // A folder that is mounted into a container and is not there is made by another user.
    if (!hasCompose(plan)) return;
    for (const name of plan.nodes.flatMap((node) => [node.name, brokerNameOf(node.name)])) {
      mkdirSync(join(plan.folder, 'data', name), { recursive: true, mode: FOLDER_MODE });
    }
  } catch (error) {
    throw new Failure(`cannot write to ${plan.folder}: ${systemReason(error)}`);
  }
}

/** As somebody in this folder would write it. */
function shownPath({ folder }: ClusterPlan, name: string): string {
  const path = join(folder, name);
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

function report(files: readonly string[], steps: readonly Step[]): string {
  const parts = steps.map(
    ({ title, commands }) => `\n${title}\n${commands.map((line) => `  ${line}\n`).join('')}`,
  );
  return `Wrote ${files.join(', ')}\n${parts.join('')}`;
}
