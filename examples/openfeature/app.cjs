// An application that knows OpenFeature and nothing of Paddock: which odds does each user see?
//
// usage: node app.cjs SEEN.json    what it showed to whom is kept there and compared with next time
'use strict';
const fs = require('node:fs');
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');

const USERS = 400;
const baseUrl = process.env.PADDOCK_URL ?? 'http://127.0.0.1:8080';
const token = process.env.PADDOCK_TOKEN;
const headers = token ? { Authorization: `Bearer ${token}` } : {};

async function main(kept) {
    const before = fs.existsSync(kept) ? JSON.parse(fs.readFileSync(kept, 'utf8')) : {};
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
    const client = OpenFeature.getClient();
    const seen = {}, counts = {};
    let away = 0;
    for (let i = 0; i < USERS; i++) {
        const targetingKey = `user-${i}`;
        // The default is what users see when Paddock cannot be asked.
        const details = await client.getStringDetails('odds-model', 'classic', { targetingKey });
        seen[targetingKey] = details.value;
        counts[`${details.value} (${details.reason})`] ??= 0;
        counts[`${details.value} (${details.reason})`]++;
        away += before[targetingKey] === 'learned' && details.value !== 'learned';
    }
    fs.writeFileSync(kept, JSON.stringify(seen));
    for (const [what, n] of Object.entries(counts).sort())
        console.log(`  ${String(n).padStart(4)} of ${USERS} users see ${what}`);
    if (Object.keys(before).length > 0)
        console.log(`  ${String(away).padStart(4)} who saw learned odds before do not any more`);
    await OpenFeature.close();
}

main(process.argv[2]).catch((failure) => {
    console.error(failure);
    process.exit(1);
});
