/* Three usage records as CloudStack 4.20 sends them (made up), in every form that the decoders
 * read. */
#ifndef RATEL_TESTS_SAMPLES_H
#define RATEL_TESTS_SAMPLES_H

#include "adapters/decode_harness.h"

#define SAMPLE_MEMBERS_MAX 40

struct sample_member {
    const char *name;
    const char *value;
    char kind; /* 't'ext, 'n'umber */
};

#define SAMPLE_OWNER                                                                               \
    {"account", "acme-prod", 't'}, {"accountid", "5a1d3c1e-6f0b-4f7e-9b57-3f0f6a2b9c11", 't'},     \
        {"domainid", "9d0a1e7e-2c61-4f0e-8b7f-1f2b3c4d5e6f", 't'}, {"domain", "acme", 't'},        \
        {"domainpath", "/resellers/acme/", 't'},                                                   \
    {                                                                                              \
        "zoneid", "c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3d", 't'                                      \
    }
#define SAMPLE_WINDOW                                                                              \
    {"startdate", "2026-10-01T00:00:00+0000", 't'},                                                \
    {                                                                                              \
        "enddate", "2026-10-01T23:59:59+0000", 't'                                                 \
    }

static const struct sample_member samples[3][SAMPLE_MEMBERS_MAX] = {
    {SAMPLE_OWNER,
     {"description",
      "Running VM usage for web-01 (i-42-1057-VM) (0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59) using "
      "service offering "
      "Standard-4C-8G (7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9) and template Ubuntu 24.04 "
      "(b1c2d3e4-f5a6-4b7c-8d9e-0f1a2b3c4d5e)",
      't'},
     {"usage", "24 Hrs", 't'},
     {"usagetype", "1", 'n'},
     {"rawusage", "24", 't'},
     {"virtualmachineid", "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59", 't'},
     {"name", "web-01", 't'},
     {"offeringid", "7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9", 't'},
     {"templateid", "b1c2d3e4-f5a6-4b7c-8d9e-0f1a2b3c4d5e", 't'},
     {"ostypeid", "3c9f0c1e-2b1a-4d5e-8f70-6a5b4c3d2e1f", 't'},
     {"osdisplayname", "Ubuntu 24.04 LTS", 't'},
     {"oscategoryid", "a0b1c2d3-e4f5-4061-9728-3948a5b6c7d8", 't'},
     {"oscategoryname", "Ubuntu", 't'},
     {"usageid", "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59", 't'},
     {"type", "KVM", 't'},
     {"cpunumber", "4", 'n'},
     {"cpuspeed", "2000", 'n'},
     {"memory", "8192", 'n'},
     SAMPLE_WINDOW},
    {SAMPLE_OWNER,
     {"description",
      "Bytes sent by network app-tier (6b5a4938-2716-4504-93e2-d1c0bfae9d8c)  (173.42 GB) "
      "186209476608 using router "
      "r-311-VM (d4c3b2a1-0f9e-4d8c-b7a6-95847362514f)",
      't'},
     {"usage", "186209476608 bytes sent", 't'},
     {"usagetype", "4", 'n'},
     {"rawusage", "186209476608", 't'},
     {"name", "app-tier", 't'},
     {"usageid", "d4c3b2a1-0f9e-4d8c-b7a6-95847362514f", 't'},
     {"type", "DomainRouter", 't'},
     SAMPLE_WINDOW,
     {"networkid", "6b5a4938-2716-4504-93e2-d1c0bfae9d8c", 't'}},
    {SAMPLE_OWNER,
     {"description",
      "Volume usage for DATA-1057 (2f1e0d9c-8b7a-4695-8473-6251403f2e1d) with disk offering "
      "SSD-Gold "
      "(1a2b3c4d-5e6f-4708-9a0b-c1d2e3f4a5b6) and size (100.00 GB) 107374182400",
      't'},
     {"usage", "13.4375 Hrs", 't'},
     {"usagetype", "6", 'n'},
     {"rawusage", "13.4375", 't'},
     {"offeringid", "1a2b3c4d-5e6f-4708-9a0b-c1d2e3f4a5b6", 't'},
     {"usageid", "2f1e0d9c-8b7a-4695-8473-6251403f2e1d", 't'},
     {"size", "107374182400", 'n'},
     SAMPLE_WINDOW},
};

static inline void put_sample_json(struct text *text, int sample)
{
    text_put(text, "{", 1);
    for (const struct sample_member *m = samples[sample]; m->name; m++)
        text_printf(text, m->kind == 'n' ? "\"%s\":%s," : "\"%s\":\"%s\",", m->name, m->value);
    text_printf(text, "\"tags\":[]}");
}

static inline void put_sample_xml(struct text *text, int sample)
{
    text_printf(text, "<usagerecord>");
    for (const struct sample_member *m = samples[sample]; m->name; m++)
        text_printf(text, "<%s>%s</%s>", m->name, m->value, m->name);
    text_printf(text, "</usagerecord>");
}

static inline const char *sample_value(int sample, enum field field)
{
    for (const struct sample_member *m = samples[sample]; m->name; m++)
        if (strcmp(m->name, field_name(field)) == 0)
            return m->value;
    return "";
}

static inline void put_msgpack_text(struct text *text, const char *string)
{
    size_t length = strlen(string);
    char header[3] = {(char)0xda, (char)(length >> 8), (char)length};
    char fix = (char)(0xa0 | length);
    text_put(text, length < 32 ? &fix : header, length < 32 ? 1 : 3);
    text_put(text, string, length);
}

static inline void put_sample_msgpack(struct text *text, int sample)
{
    int count = 0;
    while (samples[sample][count].name)
        count++;
    char header[3] = {(char)0xde, 0, (char)(count + 1)};
    text_put(text, header, 3);
    for (const struct sample_member *m = samples[sample]; m->name; m++) {
        put_msgpack_text(text, m->name);
        if (m->kind == 't') {
            put_msgpack_text(text, m->value);
            continue;
        }
        unsigned long long number = strtoull(m->value, NULL, 10);
        char bytes[9] = {(char)0xcf};
        for (int i = 0; i < 8; i++)
            bytes[8 - i] = (char)(number >> (8 * i));
        text_put(text, bytes, 9);
    }
    put_msgpack_text(text, "tags");
    text_put(text, "\x90", 1);
}

/* What put_record writes of the sample without places and raw bytes; `all_text`: the form has no
 * numbers. */
static inline void put_sample_expected(struct text *text, int sample, bool all_text)
{
    const char *gap = "";
    for (int field = 0; field < FIELD_COUNT; field++) {
        for (const struct sample_member *m = samples[sample]; m->name; m++) {
            if (strcmp(m->name, field_name((enum field)field)) != 0)
                continue;
            const char *quote = all_text || m->kind == 't' ? "'" : "";
            text_printf(text, "%s%s=%s%s%s", gap, m->name, quote, m->value, quote);
            gap = " ";
        }
    }
    text_put(text, "\n", 1);
}

static inline char *samples_expected(bool all_text)
{
    struct text text = {0};
    for (int i = 0; i < 3; i++)
        put_sample_expected(&text, i, all_text);
    return text.data;
}

#endif
