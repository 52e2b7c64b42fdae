import { installedOnce, mustRun } from '../support/installed-once.ts';

const PAHO = 'paho-mqtt==2.1.0';

/** A Python that has paho. */
export async function pahoPython(): Promise<string> {
  const folder = await installedOnce('paho', PAHO, async (into) => {
    await mustRun('python3', ['-m', 'venv', into]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PAHO];
    await mustRun(`${into}/bin/python`, pip);
  });
  return `${folder}/bin/python`;
}
