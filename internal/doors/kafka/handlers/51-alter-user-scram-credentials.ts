import { alterUserScramCredentials } from '../../../protocol/kafka/apis/51-alter-user-scram-credentials.ts';
import { defineHandler } from '../handler.ts';
import { alterUser, type ScramDeletion, type ScramUpsertion } from '../scram-credentials.ts';

/** The changes for one user. */
interface Alteration {
  readonly deletions: ScramDeletion[];
  readonly upsertions: ScramUpsertion[];
}

/** Gives users keys for SCRAM and takes them away; for each of them everything that is asked for, or nothing. */
export const alterUserScramCredentialsHandler = defineHandler(
  alterUserScramCredentials,
  async (request, { parts }) => {
    const altered = Array.from(alterationsOf(request), async ([user, { deletions, upsertions }]) => ({
      user,
      ...(await alterUser(parts, user, deletions, upsertions)),
    }));
    return { results: await Promise.all(altered) };
  },
  {
    first: {
      need: 'alter broker',
      refused: (error, request) => ({
        results: Array.from(alterationsOf(request).keys(), (user) => ({ user, ...error })),
      }),
    },
  },
);

function alterationsOf(request: {
  readonly deletions: readonly (ScramDeletion & { readonly name: string })[];
  readonly upsertions: readonly (ScramUpsertion & { readonly name: string })[];
}): Map<string, Alteration> {
  const alterations = new Map<string, Alteration>();
  const of = (name: string): Alteration => {
    const known = alterations.get(name);
    if (known !== undefined) return known;
    const made = { deletions: [], upsertions: [] };
    alterations.set(name, made);
    return made;
  };
  for (const deletion of request.deletions) of(deletion.name).deletions.push(deletion);
  for (const upsertion of request.upsertions) of(upsertion.name).upsertions.push(upsertion);
  return alterations;
}
