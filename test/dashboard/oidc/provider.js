// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Serves an OpenID provider on a free port of this machine, by https, until its input ends. It is told as JSON in its first argument
//
//	cert, key   files of its certificate
//	keys        the keys that it signs with, as JWKs: exporting one that it has made itself can block Node.js 20 for ever
//	clients     who may ask it for tokens
//	people      the groups of each person, by name; any password will do
//
// and says where it is as a line of JSON.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

import { Provider } from 'oidc-provider';

const given = JSON.parse(process.argv[2]);

const configuration = {
  clients: given.clients,
  cookies: { keys: [randomBytes(32).toString('hex')] },
  jwks: { keys: given.keys },
  scopes: ['openid', 'offline_access', 'profile', 'groups'],
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  // The API server looks into the id_token, and asks nobody for more.
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  pkce: { required: () => true },
  ttl: { IdToken: 600, AccessToken: 600, Interaction: 600, Session: 3600, Grant: 3600, RefreshToken: 3600 },
  findAccount(_, id) {
    const groups = given.people[id];
    return groups && { accountId: id, claims: () => ({ sub: `id-of-${id}`, preferred_username: id, groups }) };
  },
};

const server = createServer({ cert: readFileSync(given.cert), key: readFileSync(given.key) });
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});

// Whoever has started it may be killed: then it ends too.
process.stdin.on('end', () => process.exit(0)).resume();
