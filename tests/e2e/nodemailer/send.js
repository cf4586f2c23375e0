// Sends the message on standard input as it is:
//     node send.js HOST PORT FROM TO [TO ...] < message.eml
'use strict';
const nodemailer = require('nodemailer');

const [host, port, from, ...to] = process.argv.slice(2);
const transport = nodemailer.createTransport({
	host, port: Number(port), secure: false, ignoreTLS: true,
});
const chunks = [];

process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
	transport.sendMail({ envelope: { from, to }, raw: Buffer.concat(chunks) })
		.then((info) => console.log(info.response))
		.catch((error) => {
			console.error(error.response || error.message);
			process.exitCode = 1;
		});
});
