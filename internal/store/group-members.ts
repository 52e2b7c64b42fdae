/**
 * The members of a group lie among the small values, under this and the name of the group: so a folder keeps its format, and
 * an older version of tinymq that opens it passes over these values.
 */
const PREFIX = 'group/';

/** The key of a group's members among the small values. */
export function groupMembersKey(group: string): string {
  return PREFIX + group;
}

/** The group whose members lie under a key; undefined where it is the key of something else. */
export function groupOfKey(key: string): string | undefined {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined;
}

/** The smallest key behind those of all groups. */
export const AFTER_GROUP_MEMBERS = 'group0';
