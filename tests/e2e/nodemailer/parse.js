// Reads each message by Nodemailer's parser, and says what it found, as JSON:
//     node parse.js FILE.eml [FILE.eml ...]
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const { simpleParser } = require('mailparser');

const options = { skipImageLinks: true, skipTextToHtml: true, skipHtmlToText: true };

function people(field) {
	const list = [].concat(field || []).flatMap((one) => one.value);
	return list.flatMap((one) => one.group || [one])
		.map((one) => [one.name, one.address || '']);
}

async function read(file) {
	const mail = await simpleParser(fs.createReadStream(file), options);
	const count = {};
	for (const { key } of mail.headerLines) {
		count[key] = (count[key] || 0) + 1;
	}
	return {
		count,
		from: people(mail.from),
		reply_to: people(mail.replyTo),
		to: people(mail.to),
		subject: mail.subject || '',
		date: mail.date ? mail.date.getTime() / 1000 : null,
		message_id: mail.messageId || '',
		text: mail.text || '',
		html: mail.html || '',
		attachments: mail.attachments.map((one) => [
			one.filename || '',
			crypto.createHash('sha256').update(one.content).digest('hex'),
		]),
	};
}

(async () => {
	const all = [];
	for (const file of process.argv.slice(2)) {
		all.push(await read(file));
	}
	console.log(JSON.stringify(all));
})();
