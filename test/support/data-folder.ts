import { verifyDataFolder } from '../../internal/store/data-folder/verify.ts';
import { endOf } from './end-of.ts';

/** What `tinymq verify` says of a data folder that nobody has. */
export async function damageInDataFolder(directory: string): Promise<string[]> {
  const verifying = verifyDataFolder(
    directory,
    (key) => key,
    async () => undefined,
  );
  return (await endOf(verifying)).problems;
}
